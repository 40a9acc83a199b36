"""All weights are trained, the lower layers more slowly or later where that is asked for.

Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018).
"""

from collections.abc import Collection
from typing import Annotated, Literal

from torch import nn

from lepton.adapt import _depth, _layers
from lepton.adapt._adapted import Adapted
from lepton.core.settings import Range

WHOLE = True


def adapt(
    network: nn.Module,
    head: Collection[str],
    *,
    layer_decay: Annotated[float, Range(0.01, 1)] = 1.0,
    unfreeze: Annotated[float, Range(0, 0.9)] = 0.0,
    batch_norm: Literal["updated", "frozen"] = "updated",
) -> Adapted:
    """Train everything, at the learning rate of [train].

    The rate of each block is `layer_decay` times that of the block above it, the head's being the full one. With
    `unfreeze`, training begins with the head, and over this share of it the blocks below join in, one after another.
    `batch_norm`: whether the statistics of BatchNorm move as training goes.
    """
    names = [name for name, value in network.named_parameters() if value.requires_grad]
    deep = list(enumerate(reversed(_depth.units(names, head))))
    last = max(1, len(deep) - 1)
    rates = {name: layer_decay**depth for depth, unit in deep for name in unit} if layer_decay < 1 else {}
    thaws = {name: unfreeze * depth / last for depth, unit in deep for name in unit} if unfreeze else {}
    still = _layers.batch_norms(network) if batch_norm == "frozen" else []
    return Adapted([], rates=rates, thaws=thaws, still=still)
