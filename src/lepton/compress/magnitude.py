"""Unstructured pruning: single weights near zero become zero and stay zero.

Han et al., "Learning both Weights and Connections for Efficient Neural Networks" (2015). It buys no speed and, by
itself, no space in ONNX Runtime, which computes with zeros as with other numbers and stores them so; only a packed
download gets smaller. So the search never proposes it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lepton.compress._candidate import Candidate, Context
from lepton.compress._networks import Epochs, Rate, copied, layers_of, recovered, settled
from lepton.core.settings import Range

TAKES, GIVES = ("network",), "network"
AUTO: tuple[Mapping[str, Any], ...] = ()


def compress(
    candidate: Candidate,
    context: Context,
    *,
    share: Annotated[float, Range(0.05, 0.99)] = 0.8,
    epochs: Epochs = 1.0,
    rate: Rate = 1.0,
) -> Candidate:
    """Set the `share` of weights that is nearest to zero to zero, and train the others to make up for it.

    The weights of all convolutions and dense layers are ranked together; biases, embeddings and recurrent layers stay
    as they are. Shapes stay too. Raises UserError where there is nothing to prune.
    """
    network = copied(candidate)
    layers = layers_of(network, "magnitude")
    for layer, mask in zip(layers, _masks([layer.weight.detach() for layer in layers], share), strict=True):
        parametrize.register_parametrization(layer, "weight", _Masked(mask))
    made = recovered(candidate, context, network, epochs=epochs, rate=rate)
    for layer in layers:
        settled(layer)
    return made


class _Masked(nn.Module):
    """Weights with zeros where the mask is false, whatever training makes of them."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """The masked weights."""
        return weight * self.mask


def _masks(weights: Sequence[Tensor], share: float) -> list[Tensor]:
    """For each of `weights` where it is kept: together all but the `share` that is smallest in magnitude."""
    flat = torch.cat([each.abs().flatten() for each in weights])
    kept = torch.ones_like(flat, dtype=torch.bool)
    kept[flat.argsort(stable=True)[: round(share * len(flat))]] = False
    parts = kept.split([each.numel() for each in weights])
    return [part.view(each.shape) for part, each in zip(parts, weights, strict=True)]
