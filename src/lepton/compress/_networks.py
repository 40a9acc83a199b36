"""Networks before and after a method changed them: copies, batches of training samples, and training to recover.

Shapes: B batch, T tokens, C classes.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from lepton.compress._candidate import Candidate, Context, Teaching
from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.settings import Range

Epochs = Annotated[float, Range(0, 1000)]
"""How long recovery trains, as a multiple of the epochs that the model was trained for; 0: not at all."""

Rate = Annotated[float, Range(0, 100)]
"""The learning rate of recovery, as a multiple of that of the model's training."""

_BATCH = 32


def network_of(candidate: Candidate) -> nn.Module:
    """The network of a candidate; the plan's check keeps methods that take one in front of those that take a graph."""
    if candidate.network is None:
        raise RuntimeError("the candidate has no network")
    return candidate.network


def copied(candidate: Candidate) -> nn.Module:
    """A copy of the candidate's network on the processor, ready to answer; a method changes nothing else."""
    return copy.deepcopy(network_of(candidate)).cpu().eval()


def batches(candidate: Candidate, context: Context, count: int) -> Iterator[list[Tensor]]:
    """The inputs of at most `count` training samples in the network's order, a few at a time."""
    collate = plugins.load("transforms", candidate.transform[0]).collate
    samples = context.workshop.samples(candidate, count)
    for start in range(0, len(samples), _BATCH):
        arrays = collate(samples[start : start + _BATCH])
        yield [torch.from_numpy(arrays[name]) for name in candidate.described["inputs"]]


def layers_of(network: nn.Module, purpose: str) -> list[nn.Conv1d | nn.Conv2d | nn.Linear]:
    """The convolutions and dense layers of a network. Raises UserError where there is none for the method `purpose`."""
    found = [part for part in network.modules() if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear)]
    if not found:
        raise UserError(
            f'There are no weights for "{purpose}"',
            rule="The network must have convolutions or dense layers",
            received=", ".join(sorted({type(part).__name__ for part in network.modules()})),
            remedy=f'Leave "{purpose}" out of compress.passes',
        )
    return found


def settled(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> None:
    """Make what the weight's parametrisation gives the plain weight, in place, and in front of the bias as before."""
    parametrize.remove_parametrizations(layer, "weight")
    bias: Any = layer.bias
    del layer.bias
    layer.register_parameter("bias", bias)


def recovered(candidate: Candidate, context: Context, network: nn.Module, *, epochs: float, rate: float) -> Candidate:
    """The candidate around the changed `network`, which learns again from the labels and from what it was before."""
    changed = candidate.with_network(network)
    if not epochs:
        return changed
    return context.workshop.tune(changed, epochs=epochs, rate=rate, teaching=Teaching(candidate))


def doubt(logits: Tensor) -> Tensor:
    """Cross-entropy, summed, of logits (B, C) or (B, T, C) with the network's own answers for labels."""
    flat = logits.flatten(0, -2)
    return functional.cross_entropy(flat, flat.detach().argmax(-1), reduction="sum")


def check(network: nn.Module, inputs: Sequence[Tensor], what: str) -> None:
    """Raise UserError where the changed network cannot answer any more, as where its code names the old sizes."""
    try:
        with torch.no_grad():
            network(*inputs)
    except RuntimeError as error:
        raise UserError(
            f"The network does not work with fewer {what}",
            rule="Its code must take its sizes from its weights",
            received=str(error).splitlines()[0],
            remedy=f'Leave "{what}" out of compress.passes',
        ) from error
