"""A trained model between stages: `model.json`, `network.safetensors` and its transform."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lepton.adapt._adapted import Adapted
from lepton.core import files, plugins
from lepton.core.types import Arrays
from lepton.models import _heads
from lepton.models._network import Network, Scaling
from lepton.models._resize import fit_to
from lepton.models._shape import Shape

_BATCH = 128


def build(choice: Mapping[str, Any], shape: Shape, scaling: Scaling | None) -> Network:
    """The network of the chosen family (`{name, settings}`), with fresh weights."""
    given = {key: value for key, value in choice.items() if key != "name"}
    return Network(plugins.load("models", choice["name"]).build(shape, **given), scaling)


def adapted(network: nn.Module, choice: Mapping[str, Any]) -> Adapted:
    """Change a network by the chosen method of adaptation (`{name, settings}`), in place: how it is to be trained."""
    given = {key: value for key, value in choice.items() if key != "name"}
    how: Adapted = plugins.load("adapt", choice["name"]).adapt(network, set(_heads.head(network)), **given)
    return how


def relay(network: nn.Module, choices: Sequence[Mapping[str, Any]]) -> None:
    """Put into a network what earlier adaptations left there for good, in place; all that was trained is again."""
    frozen = {id(parameter) for parameter in network.parameters() if not parameter.requires_grad}
    for choice in choices:
        adapted(network, choice)
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) not in frozen)


def save(folder: Path, network: Network, described: Mapping[str, Any]) -> None:
    """Keep the network's weights, and the description it is rebuilt from (`model`, `shape`, `classes`, ...)."""
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / "network.safetensors")
    (folder / "network.safetensors").chmod(0o644)
    scaled = {"mean": list(network.mean.shape)} if network.scaled else {}
    files.write_json(folder / "model.json", {**described, "scaling": scaled.get("mean")})


def load(folder: Path) -> tuple[Network, dict[str, Any]]:
    """The network that `save` kept, ready to answer, and its description."""
    described = files.read_json(folder / "model.json")
    network = fresh(described)
    relay(network, described.get("adapted", ()))
    weights = load_file(folder / "network.safetensors")
    fit_to(network, weights)
    network.load_state_dict(weights)
    return network.eval(), described


def fresh(described: Mapping[str, Any]) -> Network:
    """A network of the model and the shape that are described, with the weights and the scaling it begins with."""
    kept, scaling = described["shape"], None
    shape = Shape(**{**kept, "inputs": {name: tuple(size) for name, size in kept["inputs"].items()}})
    if described["scaling"] is not None:
        scaling = (np.zeros(described["scaling"], np.float32), np.ones(described["scaling"], np.float32))
    return build(described["model"], shape, scaling)


def shape_of(arrays: Sequence[Arrays], inputs: Sequence[str], more: Mapping[str, Any]) -> Shape:
    """The Shape of encoded samples: axes that differ between samples are 0. `more` has outputs, vocabulary, task."""
    sizes = {name: _common([sample[name].shape for sample in arrays]) for name in inputs}
    return Shape(inputs=sizes, **more)


def describe(shape: Shape) -> dict[str, Any]:
    """A Shape as JSON."""
    return {**asdict(shape), "inputs": {name: list(size) for name, size in shape.inputs.items()}}


class TorchRun:
    """The network as the engine of a task's `answer`: named arrays in, `{"logits": ...}` out."""

    def __init__(self, network: nn.Module, inputs: Sequence[str]) -> None:
        self.network = network
        self.inputs = inputs

    def __call__(self, arrays: Arrays) -> Arrays:
        """Logits of a batch."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            logits = self.network(*(torch.from_numpy(arrays[name]).to(device) for name in self.inputs))
        return {"logits": logits.float().cpu().numpy()}


def answers(run: Any, samples: Sequence[Arrays], how: Mapping[str, Any]) -> list[Any]:
    """Answers of `run` to encoded samples, batched by similar length and put back in order.

    `how` has task, collate, classes and decode.
    """
    task = plugins.load("tasks", how["task"])
    settings = {"classes": how["classes"], "decode": how["decode"]}
    found: list[Any] = [None] * len(samples)
    for chosen, batch in batches(samples, how["collate"]):
        for index, answer in zip(chosen, task.answer(run, batch, settings), strict=True):
            found[index] = answer
    return found


def batches(samples: Sequence[Arrays], collate: Any) -> Iterator[tuple[list[int], Arrays]]:
    """Encoded samples in batches of similar length: their places, and the batch."""
    first = next(iter(samples[0]))
    order = sorted(range(len(samples)), key=lambda index: samples[index][first].shape)
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        yield chosen, collate([samples[index] for index in chosen])


def _common(sizes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(axis[0] if len(set(axis)) == 1 else 0 for axis in zip(*sizes, strict=True))
