"""What the tests of network methods share: tiny networks of every family, and a workshop that really trains."""

import copy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, BertConfig, DistilBertConfig, ResNetConfig, ViTConfig

from lepton.compress._candidate import Candidate, Context
from lepton.core import plugins
from lepton.export.onnx import export
from lepton.models._network import Network
from lepton.models._resize import fit_to
from lepton.models._shape import Shape
from lepton.transforms._fitted import Fitted

PICTURE, SOUND = {"image": (3, 16, 16)}, {"features": (24, 16)}
TOKENS = {"input_ids": (0,), "attention_mask": (0,)}
NGRAMS = {"ngrams": (0,), "weights": (0,)}
_TRANSFORMS = {"image": "image", "features": "logmel", "input_ids": "tokens", "ngrams": "ngrams"}
_TASKS = {"image": "image-classification", "features": "audio-classification"}
VOCABULARY, CLASSES = 40, 3

FAMILIES = {
    "cnn": ("cnn", {"preset": "vgg", "widths": [16, 24]}, PICTURE),
    "lenet": ("cnn", {"preset": "lenet", "kernel": 3, "dense": [20]}, PICTURE),
    "resnet9": ("resnet", {"preset": "resnet9", "width": 8}, PICTURE),
    "resnet": ("resnet", {"block": "basic", "blocks": [2, 3], "width": 8}, PICTURE),
    "resnet50": ("resnet", {"block": "bottleneck", "blocks": [1, 2], "width": 8}, PICTURE),
    "inception": ("inception", {"modules": [1, 1]}, PICTURE),
    "depthwise": ("depthwise", {"preset": "tiny", "widths": [16, 16, 24]}, SOUND),
    "crnn": ("crnn", {"preset": "tiny"}, SOUND),
    "textcnn": ("textcnn", {"preset": "tiny"}, TOKENS),
    "recurrent": ("recurrent", {"preset": "tiny"}, TOKENS),
    "encoder": ("encoder", {"width": 16, "heads": 4, "layers": 3}, TOKENS),
    "encoder-post": ("encoder", {"width": 16, "heads": 4, "layers": 3, "norm": "post"}, TOKENS),
    "bag": ("bag", {"preset": "large", "width": 16, "hidden": 16}, NGRAMS),
    "linear": ("bag", {"preset": "linear"}, NGRAMS),
    "blend": ("blend", {"width": 8, "filters": 8, "hidden": 8}, {**TOKENS, **NGRAMS}),
    "blend-gru": ("blend", {"width": 8, "filters": 8, "hidden": 8, "cell": "gru"}, {**TOKENS, **NGRAMS}),
    "bert": ("hub", {}, TOKENS),
    "distilbert": ("hub", {}, TOKENS),
    "vit": ("hub", {}, PICTURE),
    "hub-resnet": ("hub", {}, PICTURE),
}
_SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 32}
_HUB = {
    "bert": BertConfig(vocab_size=VOCABULARY, max_position_embeddings=32, **_SIZES),
    "distilbert": DistilBertConfig(
        vocab_size=VOCABULARY, dim=16, n_layers=3, n_heads=4, hidden_dim=32, max_position_embeddings=32
    ),
    "vit": ViTConfig(image_size=16, patch_size=8, **_SIZES),
    "hub-resnet": ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[2, 3]),
}


def candidate(name: str, folder: Path) -> Candidate:
    """A network of one of FAMILIES with weights and averages that are not the usual beginnings."""
    family, settings, inputs = FAMILIES[name]
    if family == "hub":
        AutoModel.from_config(_HUB[name]).save_pretrained(folder / name)
        settings = {"hub": str(folder / name), "pretrained": False}
    first = next(iter(inputs))
    described = {
        "model": {"name": family, **settings},
        "shape": Shape(inputs, CLASSES, VOCABULARY, _TASKS.get(first, "text-classification"), {"ngrams": VOCABULARY}),
        "classes": [str(index) for index in range(CLASSES)],
        "inputs": list(inputs),
    }
    torch.manual_seed(0)
    transform = "views" if len(inputs) == 4 else _TRANSFORMS[first]
    return Candidate(described, (transform, Fitted({})), _moved(_built(described)))


def rebuilt(made: Candidate) -> nn.Module:
    """The network as it is built from its description and the state dict of `made`."""
    network, weights = _built(made.described), made.network.state_dict()
    fit_to(network, weights)
    network.load_state_dict(weights)
    return network.eval()


def answers(network: nn.Module, inputs: list[Tensor]) -> Tensor:
    """Logits of a network that is not being trained."""
    with torch.no_grad():
        return network.eval()(*inputs)


def batch(given: Candidate, count: int = 4) -> list[Tensor]:
    """Some inputs in the order of the network's."""
    collate = plugins.load("transforms", given.transform[0]).collate
    arrays = collate(Workshop().samples(given, count))
    return [torch.from_numpy(arrays[name]) for name in given.described["inputs"]]


def size(network: nn.Module) -> int:
    """The number of parameters."""
    return sum(each.numel() for each in network.parameters())


def exported(made: Candidate, path: Path) -> Path:
    """The graph of a candidate's network."""
    names, inputs = made.described["inputs"], batch(made, 2)
    lengths = [name for name in names if made.described["shape"].inputs[name][0] == 0]
    export(copy.deepcopy(made.network), dict(zip(names, inputs, strict=True)), path, lengths=lengths)
    return path


@dataclass
class Workshop:
    """Random samples, and a few true steps of training; what was asked of `tune` is kept in `asked`."""

    steps: int = 3
    asked: list[dict[str, object]] = field(default_factory=list)

    def samples(self, given: Candidate, count: int) -> list[dict[str, np.ndarray]]:
        random = np.random.default_rng(7)
        return [_sample(given.described["shape"].inputs, random) for _ in range(count)]

    def tune(self, given: Candidate, **how) -> Candidate:
        """Train in place towards the teacher; as in the training loop, a deep copy is kept and loaded."""
        self.asked.append(how)
        torch.manual_seed(0)
        network, inputs = given.network.train(), batch(given, 16)
        wanted = answers(how["teaching"].teachers.network, inputs).softmax(-1)
        optimizer = torch.optim.AdamW(network.parameters(), 1e-2 * how["rate"])
        for _ in range(self.steps):
            functional.cross_entropy(network(*inputs), wanted).backward()
            optimizer.step()
            optimizer.zero_grad()
        network.load_state_dict(copy.deepcopy(network).state_dict())
        return given.with_network(network.eval())

    def context(self, folder: Path) -> Context:
        """A context with this workshop."""
        return Context(folder, 0, self)


def _built(described: dict[str, object]) -> Network:
    model, shape = described["model"], described["shape"]
    given = {key: value for key, value in model.items() if key != "name"}
    first = next(iter(shape.inputs))
    scaling = {"image": ((3, 1, 1), 120.0, 50.0), "features": ((16,), 0.5, 2.0)}.get(first)
    made = None if scaling is None else tuple(np.full(scaling[0], value, np.float32) for value in scaling[1:])
    return Network(plugins.load("models", model["name"]).build(shape, **given), made)


def _moved(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for each in network.parameters():
            each.add_(0.1 * torch.randn(each.shape, generator=generator))
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(generator=generator).mul_(0.3)
                part.running_var.uniform_(0.5, 2.0, generator=generator)
    return network.eval()


def _sample(inputs: dict[str, tuple[int, ...]], random: np.random.Generator) -> dict[str, np.ndarray]:
    length = int(random.integers(4, 9))
    makers = {
        "image": lambda size: random.integers(0, 256, size).astype(np.uint8),
        "features": lambda size: random.normal(0.5, 2.0, size).astype(np.float32),
        "input_ids": lambda size: random.integers(2, VOCABULARY, length),
        "attention_mask": lambda size: np.ones(length, np.int64),
        "ngrams": lambda size: random.integers(2, VOCABULARY, length),
        "weights": lambda size: random.random(length).astype(np.float32),
    }
    return {name: makers[name](size) for name, size in inputs.items()}
