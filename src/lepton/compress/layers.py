"""Fewer layers: of a stack of like ones, evenly spaced ones are kept.

Sanh et al., "DistilBERT" (2019); Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models"
(2020). For residual networks the blocks that only add to what passes them by: Veit et al., "Residual Networks Behave
Like Ensembles of Relatively Shallow Networks" (2016).
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from lepton.compress._candidate import Candidate, Context
from lepton.compress._networks import Epochs, Rate, batches, check, copied, recovered
from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models._attention import COUNTS

TAKES, GIVES = ("network",), "network"
AUTO: tuple[Mapping[str, Any], ...] = ({"keep": 0.5}, {"keep": 0.25})


def compress(
    candidate: Candidate,
    context: Context,
    *,
    keep: Annotated[float, Range(0.05, 0.95)] = 0.5,
    epochs: Epochs = 1.0,
    rate: Rate = 1.0,
) -> Candidate:
    """Keep the share `keep` of the layers of each stack, first and last among them, and train what is left to recover.

    A stack is a list of two or more layers of one kind, each of which takes what the one before gave, in one shape.
    All residual blocks that add to their unchanged input are one stack too, wherever they stand in the network; those
    taken out hand on their input. At least one layer stays of each stack. Raises UserError where none can be left out.
    """
    network = copied(candidate)
    inputs = next(batches(candidate, context, 2))
    stacks = list(_stacks(network, inputs))
    dropped = [_dropped(stack.size, keep) for stack in stacks]
    if not any(dropped):
        raise UserError(
            "There are no layers to take out",
            rule="The network must have a stack of like layers, and the share kept must leave one out",
            received=f"stacks of {[stack.size for stack in stacks]} layers, keep = {keep:g}",
            remedy='Lower keep, or leave "layers" out of compress.passes',
        )
    for stack, places in zip(stacks, dropped, strict=True):
        stack.drop(places)
    check(network, inputs, "layers")
    return recovered(candidate, context, network, epochs=epochs, rate=rate)


@dataclass(frozen=True)
class _Stack:
    """Layers in order: how many, and how those at some places are taken out of the network."""

    size: int
    drop: Callable[[Sequence[int]], None]


def _dropped(size: int, keep: float) -> list[int]:
    """The places that go so that those kept are evenly spaced, with both ends; of one that is kept, the first."""
    kept = np.linspace(0, size - 1, max(1, round(size * keep))).round().astype(int)
    return sorted(set(range(size)) - set(kept.tolist()))


def _stacks(network: nn.Module, inputs: Sequence[Tensor]) -> Iterator[_Stack]:
    """Lists of layers, the outer ones where lists hold lists, and then the residual blocks outside them."""
    lists = _lists(network, inputs)
    for part in lists.values():
        yield _Stack(len(part), partial(_delete, part))
    blocks = _residuals(network, inputs, lists)
    if blocks:
        yield _Stack(len(blocks), partial(_bypass, blocks))


def _delete(part: nn.ModuleList, places: Sequence[int]) -> None:
    for place in reversed(places):
        del part[place]


def _bypass(blocks: Sequence[tuple[nn.Sequential, str]], places: Sequence[int]) -> None:
    for place in places:
        sequence, key = blocks[place]
        setattr(sequence, key, nn.Identity())


def _lists(network: nn.Module, inputs: Sequence[Tensor]) -> dict[str, nn.ModuleList]:
    """The lists of two or more like layers that are called as a chain, by name."""
    lists = {name: part for name, part in network.named_modules() if isinstance(part, nn.ModuleList) and len(part) > 1}
    calls = _watch(network, inputs, (layer for part in lists.values() for layer in part))
    found: dict[str, nn.ModuleList] = {}
    for name, part in lists.items():
        chained = _chained([calls[layer] for layer in part]) and len({_kind(layer) for layer in part}) == 1
        if chained and not _inside(name, found):
            found[name] = part
    return found


def _residuals(network: nn.Module, inputs: Sequence[Tensor], taken: Iterable[str]) -> list[tuple[nn.Sequential, str]]:
    """Blocks in sequences, outside of the parts `taken`, that hand on their input when their weights are zero."""
    named = {name: part for name, part in network.named_modules() if isinstance(part, nn.Sequential)}
    calls = _watch(network, inputs, (child for part in named.values() for child in part))
    taken, found = list(taken), []
    for name, part in named.items():
        for key, child in part.named_children():
            place = f"{name}.{key}"
            if not _inside(place, taken) and _adds(child, calls[child]):
                found.append((part, key))
                taken.append(place)
    return found


Calls = list[tuple[Tensor, Any]]
"""What a layer was given (its first tensor) and gave, call by call."""


def _watch(network: nn.Module, inputs: Sequence[Tensor], layers: Iterable[nn.Module]) -> dict[nn.Module, Calls]:
    """The calls of each of `layers` while the network answers."""
    calls: dict[nn.Module, Calls] = {layer: [] for layer in layers}

    def note(layer: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        if given and isinstance(given[0], Tensor):
            calls[layer].append((given[0], gave[0] if isinstance(gave, tuple) else gave))

    hooks = [layer.register_forward_hook(note) for layer in calls]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return calls


def _chained(calls: Sequence[Calls]) -> bool:
    """Whether each layer was called once, gave the shape that it was given, and the next one took that."""
    if any(len(each) != 1 for each in calls):
        return False
    once = [each[0] for each in calls]
    same = all(isinstance(gave, Tensor) and gave.shape == given.shape for given, gave in once)
    return same and all(before[1] is after[0] for before, after in pairwise(once))


def _adds(block: nn.Module, calls: Calls) -> bool:
    """Whether a block with weights, called once, adds to its input: with all weights at zero it gives the input."""
    if len(calls) != 1 or isinstance(block, nn.Sequential) or not any(True for _ in block.parameters()):
        return False
    (given, gave), silent = calls[0], copy.deepcopy(block)
    with torch.no_grad():
        for each in silent.parameters():
            each.zero_()
        return gave.shape == given.shape and bool(given.any()) and torch.equal(silent(given), given)


def _kind(layer: nn.Module) -> tuple[Any, ...]:
    """What sets layers apart besides their weights and widths: classes, and attributes such as a shift or a flag."""
    own = {name: part for name, part in layer.named_modules() if not type(part).__module__.startswith("torch.nn.")}
    told = [(name, key, value) for name, part in own.items() for key, value in sorted(vars(part).items())]
    ignored = {*COUNTS, "all_head_size", "layer_idx", "training"}
    traits = [row for row in told if row[1] not in ignored and isinstance(row[2], bool | int | str)]
    return (*((name, type(part)) for name, part in layer.named_modules()), *traits)


def _inside(name: str, others: Iterable[str]) -> bool:
    return any(name.startswith(f"{other}.") for other in others)
