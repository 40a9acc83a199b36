"""LoRA: each weight gets the product of two thin matrices added, and only these are trained.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021); scaled for stability at high ranks,
Kalajdzievski, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA" (2023); with a learned length of each
row, Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation" (2024). Dense layers and convolutions go through `peft`;
recurrent layers and convolutions in groups, which it does not know or cannot merge, are done here.
Shapes: O outputs, I inputs (of a convolution: times its kernel), R rank.
"""

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from lepton.adapt import _layers, _peft, _weights
from lepton.adapt._adapted import Adapted, Layers, Lr
from lepton.core.settings import Range

AUTO: tuple[Mapping[str, Any], ...] = ({"rank": 2}, {})

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.RNNBase)


def adapt(
    network: nn.Module,
    head: Collection[str],
    *,
    rank: Annotated[int, Range(1, 1024)] = 8,
    alpha: Annotated[float, Range(0.01, 10_000)] = 16.0,
    stabilised: bool = False,
    dora: bool = False,
    dropout: Annotated[float, Range(0, 0.9)] = 0.0,
    layers: Layers = None,
    lr: Lr = 2e-3,
) -> Adapted:
    """Add low-rank matrices to dense, convolutional and recurrent layers, and train them and the head.

    The product is multiplied by `alpha` / `rank`, or by `alpha` / sqrt(`rank`) where `stabilised`. `dora` trains the
    length of each row beside. `dropout` hides inputs of the added matrices of dense layers and convolutions. Layers
    where two matrices of this rank would be no smaller than the weights are left out. Raises UserError where no layer
    is left.
    """
    still = _layers.batch_norms(network)
    known = _layers.found(network, head, _KINDS, layers=layers)
    chosen = {name: part for name, part in known.items() if _thinned(part, rank)}
    names = _layers.some(list(chosen), network, "lora")
    _layers.freeze(network, head)
    theirs = [name for name, part in chosen.items() if not _ours(part)]
    if theirs:
        given = {"r": rank, "lora_alpha": alpha, "use_rslora": stabilised, "use_dora": dora, "lora_dropout": dropout}
        _inject(network, head, {"target_modules": theirs, **given})
    scale = alpha / (math.sqrt(rank) if stabilised else rank)
    for part in filter(_ours, chosen.values()):
        for name in _thinned(part, rank):
            _weights.change(part, name, _Product(getattr(part, name), rank, scale=scale, dora=dora))
    return Adapted(names, lr=lr, still=still)


def merge(network: nn.Module) -> None:
    """Add the products to the weights, in place."""
    _peft.merge(network)
    _weights.settle(network)


def _inject(network: nn.Module, head: Collection[str], given: Mapping[str, Any]) -> None:
    from peft import LoraConfig

    _peft.inject(network, head, LoraConfig(**given))


def _thinned(part: nn.Module, rank: int) -> list[str]:
    """The weights of a layer that two matrices of `rank` are smaller than."""
    known = {name: getattr(part, name) for name in _weights.matrices(part)}
    return [name for name, value in known.items() if rank * (len(value) + value[0].numel()) < value.numel()]


def _ours(part: nn.Module) -> bool:
    return isinstance(part, nn.RNNBase) or getattr(part, "groups", 1) > 1


class _Product(nn.Module):
    """A weight and `scale` times the product of (O, R) and (R, I); with `dora`, rows of learned lengths.

    The first matrix begins at zero, so that nothing is changed before training.
    """

    def __init__(self, weight: Tensor, rank: int, *, scale: float, dora: bool) -> None:
        super().__init__()
        rows = weight.detach().flatten(1)
        self.scale = scale
        self.down = nn.Parameter(torch.empty(rank, rows.shape[1]))
        self.up = nn.Parameter(torch.zeros(len(rows), rank))
        self.length = nn.Parameter(rows.norm(dim=1, keepdim=True)) if dora else None
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        rows = weight.flatten(1) + self.scale * (self.up @ self.down)
        if self.length is not None:
            # The paper keeps the norm out of the gradient, which saves memory and costs no accuracy (section 4.3).
            rows = self.length * rows / rows.norm(dim=1, keepdim=True).detach().clamp_min(1e-12)
        return rows.view_as(weight)
