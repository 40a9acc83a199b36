"""Encoded samples as batches of tensors.

Fixed-size samples are stacked once and indexed; samples of varying length are sorted into batches of similar
length and collated one batch at a time.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lepton.core import seeds
from lepton.core.types import Arrays
from lepton.models._objectives import IGNORED

Batch = tuple[list[Tensor], Tensor, Tensor]
"""The inputs in the order of the graph, the targets, and the samples' numbers."""

_POOL = 50
"""Batches sorted together by length: enough to waste little padding, few enough to keep the order random."""


@dataclass(frozen=True)
class Samples:
    """Encoded samples with their targets; `inputs` are the names that enter the network, in order."""

    arrays: Sequence[Arrays]
    targets: Sequence[np.ndarray]
    inputs: tuple[str, ...]
    collate: Callable[[Sequence[Arrays]], Arrays]

    def __len__(self) -> int:
        return len(self.arrays)


class Loader:
    """Gives batches of `samples`, the same ones for the same seed and epoch.

    With `together` above 1, whose targets must be classes, about so many records of a class follow one another.
    """

    def __init__(self, samples: Samples, *, batch: int, seed: int, together: int = 1) -> None:
        self.samples = samples
        self.batch = batch
        self.seed = seed
        self.together = together
        self._stacked = _stack(samples)
        self._lengths = np.array([len(arrays[samples.inputs[0]]) for arrays in samples.arrays])

    def __len__(self) -> int:
        """Batches in an epoch; a last batch of one joins the one before, since BatchNorm cannot take it."""
        whole, rest = divmod(len(self.samples), self.batch)
        return max(1, whole + (rest > 1 or (rest == 1 and self.batch == 1)))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch `number`, shuffled."""
        for chosen in self._order(seeds.generator(self.seed, "order", number)):
            yield self._take(chosen)

    def _order(self, random: np.random.Generator) -> list[np.ndarray]:
        if self.together > 1:
            return self._cut(_by_class(np.array(self.samples.targets), self.together, random))
        order = random.permutation(len(self.samples))
        if self._stacked is not None:
            return self._cut(order)
        pool = self.batch * _POOL
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        by_length = np.concatenate([part[np.argsort(self._lengths[part], kind="stable")] for part in pools])
        batches = self._cut(by_length)
        return [batches[index] for index in random.permutation(len(batches))]

    def _cut(self, order: np.ndarray) -> list[np.ndarray]:
        return np.split(order, [self.batch * index for index in range(1, len(self))])

    def _take(self, chosen: np.ndarray) -> Batch:
        index = torch.from_numpy(chosen)
        if self._stacked is not None:
            inputs, targets = self._stacked
            return [tensor[index] for tensor in inputs], targets[index], index
        arrays = self.samples.collate([self.samples.arrays[index] for index in chosen])
        wanted = pad([self.samples.targets[index] for index in chosen])
        return [torch.from_numpy(arrays[name]) for name in self.samples.inputs], wanted, index


def _by_class(targets: np.ndarray, together: int, random: np.random.Generator) -> np.ndarray:
    """The records at random, but that those of a class come in parts of at most `together`."""
    order = random.permutation(len(targets))
    known = (order[targets[order] == kind] for kind in np.unique(targets))
    parts = [part for found in known for part in np.array_split(found, math.ceil(len(found) / together))]
    return np.concatenate([parts[index] for index in random.permutation(len(parts))])


def _stack(samples: Samples) -> tuple[list[Tensor], Tensor] | None:
    """All samples as tensors, when every sample has the same shapes."""
    first = samples.arrays[0]
    same = all(arrays[name].shape == first[name].shape for arrays in samples.arrays for name in samples.inputs)
    if not same or samples.targets[0].ndim:
        return None
    inputs = [torch.from_numpy(np.stack([arrays[name] for arrays in samples.arrays])) for name in samples.inputs]
    return inputs, torch.from_numpy(np.stack(samples.targets))


def pad(targets: Sequence[np.ndarray]) -> Tensor:
    """Targets as one tensor, (B,) of single ones or (B, T) where tokens have one each, padded with IGNORED."""
    if not targets[0].ndim:
        return torch.from_numpy(np.stack(targets))
    length = max(len(target) for target in targets)
    out = np.full((len(targets), length), IGNORED, np.int64)
    for row, target in zip(out, targets, strict=True):
        row[: len(target)] = target
    return torch.from_numpy(out)
