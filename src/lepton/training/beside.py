"""A loss on features beside the one on logits: what a layer is given in a pass, and how it joins the loss."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Beside:
    """`loss(features, targets)` is a mean over a batch, where `features` (B, D) are what the module `layer` is given.

    `share` is its part of the whole loss (0 to 1). Batches are drawn so that about `together` records of a class stand
    in one.
    """

    layer: str
    loss: Callable[[Tensor, Tensor], Tensor]
    share: float
    together: int


@contextmanager
def caught(network: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """What the module `layer` of `network` is given while this is open: one tensor for each pass through it."""
    seen: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        hook.remove()
