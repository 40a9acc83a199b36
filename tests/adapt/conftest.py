"""Small networks of every family, as adaptation sees them: a body behind its scaling, with a head."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import ASTConfig, AutoModel, BertConfig, DistilBertConfig, ResNetConfig, ViTConfig
from transformers.utils import logging

from lepton.core import plugins, settings
from lepton.models import _heads
from lepton.models._network import Network
from lepton.models._shape import Shape

_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
HUB = {
    "bert": BertConfig(vocab_size=50, max_position_embeddings=32, **_SMALL),
    "distilbert": DistilBertConfig(
        vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=32
    ),
    "vit": ViTConfig(image_size=32, patch_size=8, num_channels=1, **_SMALL),
    "hub-resnet": ResNetConfig(
        num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    ),
    "ast": ASTConfig(patch_size=8, frequency_stride=8, time_stride=8, max_length=40, num_mel_bins=24, **_SMALL),
}
OWN = {
    name: task
    for name in plugins.names("models")
    for task in plugins.load("models", name).OBJECTIVES
    if task != "token-classification" and not hasattr(plugins.load("models", name), "brought")
}
"""The families that make their networks themselves, each with a task that it serves."""

ARRAYS = {
    "image": {"image": (1, 32, 32)},
    "logmel": {"features": (40, 24)},
    "tokens": {"input_ids": (0,), "attention_mask": (0,)},
    "ngrams": {"ngrams": (0,), "weights": (0,)},
    "views": {"input_ids": (0,), "attention_mask": (0,), "ngrams": (0,), "weights": (0,)},
}
BACKBONES = [*OWN, *HUB]


@dataclass(frozen=True)
class Backbone:
    """A family's network with five outputs and a batch of four for it; `fresh` makes an equal one again."""

    name: str
    network: Network
    inputs: list[Tensor]
    fresh: Callable[[], Network]

    @property
    def head(self) -> set[str]:
        return set(_heads.head(self.network))

    def logits(self) -> Tensor:
        self.network.eval()
        with torch.no_grad():
            return self.network(*self.inputs)

    def train(self, still: list[str], steps: int = 2) -> None:
        """A few steps of everything that may be trained, with `still` modules in evaluation mode."""
        self.network.train()
        for name in still:
            self.network.get_submodule(name).eval()
        trained = [value for value in self.network.parameters() if value.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-2)
        for _ in range(steps):
            nn.functional.cross_entropy(self.network(*self.inputs), torch.arange(4)).backward()
            optimizer.step()
            optimizer.zero_grad()


@pytest.fixture(scope="session")
def hub_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    place = tmp_path_factory.mktemp("hub")
    logging.disable_progress_bar()
    torch.manual_seed(0)
    for name, config in HUB.items():
        AutoModel.from_config(config).save_pretrained(place / name)
    yield {name: place / name for name in HUB}
    logging.enable_progress_bar()


@pytest.fixture
def make(hub_folders: dict[str, Path]) -> Callable[..., Backbone]:
    """Make a backbone by its name and settings."""

    def made(name: str, **given: object) -> Backbone:
        hub = name in HUB
        family = plugins.load("models", "hub" if hub else name)
        task = _hub_task(name) if hub else OWN[name]
        transform = family.TRANSFORMS[plugins.load("tasks", task).MODALITY]
        shape = Shape(ARRAYS[transform], outputs=5, vocabulary=50, task=task, settings={"ngrams": {"vocabulary": 50}})
        chosen = settings.settle(family.build, {**({"hub": str(hub_folders[name])} if hub else {}), **given}, "model")

        def fresh() -> Network:
            torch.manual_seed(1)
            return Network(family.build(shape, **chosen)).eval()

        return Backbone(name, fresh(), _batch(transform), fresh)

    return made


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest, make: Callable[..., Backbone]) -> Backbone:
    """Each family in turn."""
    return make(request.param)


def _hub_task(name: str) -> str:
    return {"vit": "image-classification", "hub-resnet": "image-classification", "ast": "audio-classification"}.get(
        name, "text-classification"
    )


def _batch(transform: str) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    if transform in ("image", "logmel"):
        (size,) = ARRAYS[transform].values()
        return [torch.randn(4, *size, generator=random)]
    known = {
        "input_ids": torch.randint(1, 50, (4, 7), generator=random),
        "attention_mask": torch.ones(4, 7, dtype=torch.int64),
        "ngrams": torch.randint(1, 50, (4, 9), generator=random),
        "weights": torch.rand(4, 9, generator=random),
    }
    return [known[name] for name in ARRAYS[transform]]
