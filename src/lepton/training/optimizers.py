"""Optimizers by name."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Optimizer(Protocol):
    """What the loop needs of an optimizer."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def step(self) -> None: ...  # noqa: D102
    def zero_grad(self) -> None: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any], /) -> None: ...  # noqa: D102


def adamw(network: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and norms are not decayed."""
    return torch.optim.AdamW(_groups(network.named_parameters(), decay), lr=rate)


def sgd(network: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum of 0.9."""
    return torch.optim.SGD(_groups(network.named_parameters(), decay), lr=rate, momentum=0.9, nesterov=True)


def muon(network: nn.Module, rate: float, decay: float) -> "Together":
    """Muon (Jordan 2024) for the hidden matrices, AdamW for the rest (convolutions, embeddings, norms, biases)."""
    embeddings = {
        id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }
    named = [item for item in network.named_parameters() if item[1].requires_grad]
    hidden = [(n, p) for n, p in named if p.ndim == 2 and id(p) not in embeddings]
    kept = {id(p) for _, p in hidden}
    rest = [(n, p) for n, p in named if id(p) not in kept]
    matrices = torch.optim.Muon([p for _, p in hidden], lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    return Together([matrices, torch.optim.AdamW(_groups(rest, decay), lr=rate)])


class Together:
    """Several optimizers, each for its share of the parameters, stepped as one."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts."""
        return list(itertools.chain.from_iterable(part.param_groups for part in self.parts))

    def step(self) -> None:
        """Step each part."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Clear each part's gradients."""
        for part in self.parts:
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """The parts' states in their order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)


OPTIMIZERS: dict[str, Callable[[nn.Module, float, float], Optimizer]] = {"adamw": adamw, "sgd": sgd, "muon": muon}


def _groups(named: Iterable[tuple[str, Tensor]], decay: float) -> list[dict[str, Any]]:
    trained = [parameter for _, parameter in named if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    kept = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": decay}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
