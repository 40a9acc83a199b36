"""Fewer attention heads: those that the answers depend on least are taken out.

Michel, Levy, Neubig, "Are Sixteen Heads Really Better than One?" (2019). Shapes: B batch, H heads.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from lepton.compress._candidate import Candidate, Context
from lepton.compress._networks import Epochs, Rate, batches, check, copied, doubt, recovered
from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models._attention import Attention, attentions

TAKES, GIVES = ("network",), "network"
AUTO: tuple[Mapping[str, Any], ...] = ({"share": 0.5},)


def compress(
    candidate: Candidate,
    context: Context,
    *,
    share: Annotated[float, Range(0.05, 0.95)] = 0.5,
    samples: Annotated[int, Range(1, 100_000)] = 64,
    epochs: Epochs = 0.5,
    rate: Rate = 1.0,
) -> Candidate:
    """Take out the `share` of all heads that matters least, and train what is left to recover.

    A head matters by how much the loss would change with it, to first order, on `samples` training samples; the
    network's own answers stand for the labels. Layers are made comparable by the norm of their heads, and each keeps
    at least one. Projections shrink with their heads. Raises UserError where there is nothing to take out.
    """
    network = copied(candidate)
    found = attentions(network)
    inputs = list(batches(candidate, context, samples))
    kept = _kept(_importance(network, found, inputs), share) if found else []
    if all(len(heads) == each.heads for heads, each in zip(kept, found, strict=True)):
        raise UserError(
            "There are no attention heads to take out",
            rule="Some layer of the network must have two heads or more, and the share must reach one",
            received=f"{sum(each.heads for each in found)} heads in {len(found)} layers, share = {share:g}",
            remedy='Leave "heads" out of compress.passes',
        )
    for each, heads in zip(found, kept, strict=True):
        each.keep(heads)
    check(network, inputs[0], "heads")
    return recovered(candidate, context, network, epochs=epochs, rate=rate)


def _importance(network: nn.Module, found: Sequence[Attention], inputs: Iterable[list[Tensor]]) -> list[Tensor]:
    """For each layer the importance of its heads (H,), of norm 1."""
    sums = [torch.zeros(each.heads) for each in found]
    for batch in inputs:
        for total, slopes in zip(sums, _slopes(network, found, batch), strict=True):
            total += slopes.abs().sum(0)
    return [total / total.norm().clamp(min=1e-12) for total in sums]


def _slopes(network: nn.Module, found: Sequence[Attention], batch: Sequence[Tensor]) -> Sequence[Tensor]:
    """For each layer d loss / d gate (B, H), where a gate of 1 lets a sample's head speak and 0 would not."""
    gates = {each.writes: torch.ones(len(batch[0]), each.heads, requires_grad=True) for each in found}

    def gated(part: nn.Module, given: tuple[Tensor, ...]) -> Tensor:
        gate = gates[part]  # type: ignore[index]
        return given[0] * gate.repeat_interleave(given[0].shape[-1] // gate.shape[1], 1).unsqueeze(1)

    hooks = [each.writes.register_forward_pre_hook(gated) for each in found]
    loss = doubt(network(*batch))
    for hook in hooks:
        hook.remove()
    return torch.autograd.grad(loss, list(gates.values()), allow_unused=True, materialize_grads=True)


def _kept(importance: Sequence[Tensor], share: float) -> list[list[int]]:
    """The indices of the heads that each layer keeps: those above the rank that `share` says, or the best."""
    ranked = torch.cat(list(importance)).sort().values
    least = ranked[min(round(share * len(ranked)), len(ranked) - 1)]
    return [torch.nonzero(values >= torch.minimum(least, values.max())).flatten().tolist() for values in importance]
