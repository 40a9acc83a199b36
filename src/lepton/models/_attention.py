"""Attention as the families and transformers have it: its projections, its heads, and how it loses some.

A layer of attention is known by the names of its projections. Shapes: H heads, S features of a head, D width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

COUNTS = ("heads", "num_heads", "num_attention_heads", "n_heads")
"""Attributes that say how many heads there are."""

_READS = (
    ("read",),
    ("Wqkv",),
    ("query", "key", "value"),
    ("q_lin", "k_lin", "v_lin"),
    ("q_proj", "k_proj", "v_proj"),
)
_WRITES = ("write", "Wo", "dense", "out_lin", "out_proj", "o_proj")


@dataclass(frozen=True)
class Attention:
    """One layer's attention: `reads` make queries, keys and values (three, or one that makes all), `writes` mixes.

    `owner` counts the heads, each `size` features wide.
    """

    owner: nn.Module
    reads: Sequence[nn.Linear]
    writes: nn.Linear
    size: int

    @property
    def heads(self) -> int:
        """How many heads there are."""
        return self.writes.in_features // self.size

    def keep(self, heads: Sequence[int]) -> None:
        """Keep only the `heads` with these indices, in place."""
        parts = 3 // len(self.reads)
        within = torch.tensor(heads)[:, None] * self.size + torch.arange(self.size)
        rows = torch.arange(parts)[:, None] * self.writes.in_features + within.flatten()
        for each in self.reads:
            _select(each, rows.flatten(), axis=0)
        _select(self.writes, within.flatten(), axis=1)
        self.count()

    def count(self) -> None:
        """Say in the owner how many heads its projections have, in place."""
        counted = {**dict.fromkeys(COUNTS, self.heads), "all_head_size": self.writes.in_features}
        for name, value in counted.items():
            if hasattr(self.owner, name):
                setattr(self.owner, name, value)


def attentions(network: nn.Module) -> list[Attention]:
    """Every layer of attention that can lose heads, each once, in the order of its modules.

    Those whose heads share keys, or have a table of relative positions for each head, are left out.
    """
    found = {}
    for parent in network.modules():
        for owner in parent.children():
            made = _attention(owner, parent)
            if made is not None:
                found[owner] = made
    return list(found.values())


def _attention(owner: nn.Module, parent: nn.Module) -> Attention | None:
    reads = next(filter(None, (_linears(owner, names) for names in _READS)), None)
    writes = next(_outputs(owner, parent), None)
    heads = next((getattr(owner, name) for name in COUNTS if hasattr(owner, name)), 0)
    if not reads or writes is None or not heads or writes.in_features % heads:
        return None
    even = all(3 * writes.in_features == each.out_features * len(reads) for each in reads)
    if not even or any("relative" in name for name, _ in owner.named_parameters()):
        return None
    return Attention(owner, reads, writes, writes.in_features // heads)


def _linears(owner: nn.Module, names: Sequence[str]) -> list[nn.Linear]:
    found = [getattr(owner, name, None) for name in names]
    return cast(list[nn.Linear], found) if all(isinstance(each, nn.Linear) for each in found) else []


def _outputs(owner: nn.Module, parent: nn.Module) -> Iterator[nn.Linear]:
    """What may follow the heads: a part of the owner, or of the output that stands beside it (BERT)."""
    for place in (owner, getattr(parent, "output", None)):
        yield from (each for name in _WRITES if isinstance(each := getattr(place, name, None), nn.Linear))


def _select(linear: nn.Linear, index: Tensor, *, axis: int) -> None:
    """Keep the rows (axis 0) or columns (axis 1) of `index`, in place."""
    with torch.no_grad():
        linear.weight = nn.Parameter(linear.weight.index_select(axis, index), linear.weight.requires_grad)
        if axis == 0 and linear.bias is not None:
            linear.bias = nn.Parameter(linear.bias[index], linear.bias.requires_grad)
    linear.out_features, linear.in_features = linear.weight.shape
