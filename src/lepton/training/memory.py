"""Memory in training: batches cut in pieces where it runs out, and states that are computed again instead of kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from lepton.core.errors import UserError
from lepton.core.progress import Progress

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")
"""How PyTorch says it where it has no error of its own for it."""


class Pieces:
    """How many pieces batches are cut into: one, until memory runs out, and then twice as many each time.

    The gradients of the pieces are those of the whole batch, but for layers and losses that compare its records with
    each other (BatchNorm, a contrastive loss).
    """

    def __init__(self, progress: Progress) -> None:
        self.count = 1
        self._progress = progress

    def backward(self, network: nn.Module, rows: slice, piece: Callable[[slice], Tensor]) -> Tensor:
        """The loss of some rows of a batch, their gradients added to the network's.

        `piece(rows)` does so for some of them, and gives their part of it. Where memory runs out, the gradients of the
        step begin anew with smaller pieces. Raises UserError where one record does not fit.
        """
        while True:
            found = self._tried(rows, piece)
            if found is not None:
                return found
            network.zero_grad()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.count *= 2
            self._progress.say(f"memory ran out: going on with {-(-_size(rows) // self.count)} records at a time")

    def _tried(self, rows: slice, piece: Callable[[slice], Tensor]) -> Tensor | None:
        """The loss; None where memory ran out, everything that the attempt held let go."""
        try:
            cuts = [rows.start + _size(rows) * index // self.count for index in range(self.count + 1)]
            return torch.stack([piece(slice(*ends)) for ends in pairwise(cuts) if ends[0] < ends[1]]).sum()
        except RuntimeError as error:
            if not _is_memory(error):
                raise
            if self.count >= _size(rows):
                raise _too_large(error) from error
        return None


def _size(rows: slice) -> int:
    return int(rows.stop - rows.start)


def _is_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(each in str(error) for each in _WORDS)


def _too_large(error: RuntimeError) -> UserError:
    return UserError(
        "Memory ran out with one record at a time",
        rule="The network, its gradients and one record must fit",
        received=next(iter(str(error).splitlines()), ""),
        remedy="Say train.gradient_checkpointing = true, shorten or shrink the inputs, or adapt fewer weights",
    )


@contextmanager
def recomputed(network: nn.Module) -> Iterator[None]:
    """While this is open, layers that stand in lists keep only their inputs, and are run again in the backward pass.

    Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016). A layer with a BatchNorm is left alone, since
    its statistics would count each batch twice. Raises UserError where the network has no such layers.
    """
    layers = _layers(network)
    if not layers:
        raise UserError(
            "The network has no layers that could be run again",
            rule="train.gradient_checkpointing needs blocks in a list, without BatchNorm, as transformers have",
            remedy="Leave it out; a smaller train.batch with train.accumulate saves memory too",
        )
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _layers(network: nn.Module) -> list[nn.Module]:
    """The layers of the outermost lists that have several, those with a BatchNorm left out."""
    lists = [part for part in network.modules() if isinstance(part, nn.ModuleList) and len(part) > 1]
    inner = {id(part) for outer in lists for part in outer.modules() if part is not outer}
    return [
        layer
        for part in lists
        for layer in part
        if id(part) not in inner and not any(isinstance(each, _BatchNorm) for each in layer.modules())
    ]
