"""Optimizers by name."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Rates = Mapping[str, float]
"""Factors on the learning rate by the parameters' names; those not named have 1."""


class Optimizer(Protocol):
    """What the loop needs of an optimizer."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def step(self) -> None: ...  # noqa: D102
    def zero_grad(self) -> None: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any], /) -> None: ...  # noqa: D102


class Make(Protocol):
    """Makes an optimizer of a network's trained parameters."""

    def __call__(self, network: nn.Module, rate: float, *, decay: float, rates: Rates) -> Optimizer:
        """The groups of the optimizer say with "scale" what their factor on the rate is."""


def adamw(network: nn.Module, rate: float, *, decay: float, rates: Rates) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and norms are not decayed."""
    return torch.optim.AdamW(_groups(network.named_parameters(), decay, rates), lr=rate)


def sgd(network: nn.Module, rate: float, *, decay: float, rates: Rates) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum of 0.9."""
    groups = _groups(network.named_parameters(), decay, rates)
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)


def muon(network: nn.Module, rate: float, *, decay: float, rates: Rates) -> "Together":
    """Muon (Jordan 2024) for the hidden matrices, AdamW for the rest (convolutions, embeddings, norms, biases)."""
    embeddings = {
        id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }
    named = [item for item in network.named_parameters() if item[1].requires_grad]
    hidden = [(n, p) for n, p in named if p.ndim == 2 and id(p) not in embeddings]
    kept = {id(p) for _, p in hidden}
    rest = [(n, p) for n, p in named if id(p) not in kept]
    matrices = torch.optim.Muon(_groups(hidden, decay, rates), lr=rate, adjust_lr_fn="match_rms_adamw")
    return Together([matrices, torch.optim.AdamW(_groups(rest, decay, rates), lr=rate)])


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


OPTIMIZERS: dict[str, Make] = {"adamw": adamw, "sgd": sgd, "muon": muon}


def _groups(named: Iterable[tuple[str, Tensor]], decay: float, rates: Rates) -> list[dict[str, Any]]:
    """The trained parameters by their factor on the rate, those with more than one axis decayed."""
    found = defaultdict(list)
    for name, parameter in named:
        if parameter.requires_grad:
            found[rates.get(name, 1.0), parameter.ndim <= 1].append(parameter)
    return [
        {"params": parameters, "weight_decay": 0.0 if flat else decay, "scale": scale}
        for (scale, flat), parameters in sorted(found.items(), key=lambda item: (-item[0][0], item[0][1]))
    ]
