"""Nearest neighbours without comparing all with all: vectors lie in cells, and a query looks into the nearest few.

An inverted file (J. Sivic and A. Zisserman, "Video Google", 2003; H. Jegou and others, "Product quantization", 2011).
N vectors lie in about sqrt(3 N) cells, so Q queries cost some Q sqrt(N) products; at least 512 vectors are looked at.
`Space` makes the vectors: numbers of which each counts as much as it tells records of this data set apart.
Shapes: D numbers before, K after, C cells.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_PROBES = 3
_LOOKED_AT = 512
_ROUNDS = 6


class Hits(NamedTuple):
    """What queries found, one row each: the query, the vector's place, and the cosine of the two."""

    query: np.ndarray
    place: np.ndarray
    likeness: np.ndarray


@dataclass(frozen=True)
class Space:
    """Vectors after their mean is taken away and their principal components are evened out (`whitened`)."""

    mean: np.ndarray
    components: np.ndarray

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """The rows (N, D) in this space, of length 1: float32 (N, K)."""
        return unit(rows @ self.components - self.mean @ self.components)

    def first(self, count: int) -> "Space":
        """The space of the `count` largest components alone."""
        return Space(self.mean, self.components[:, :count])


def space(rows: np.ndarray, prior: np.ndarray, *, size: int, floor: float, least: float = 1e-12) -> Space:
    """The space of the `size` largest components of `rows` (N, D), those held down that hardly vary.

    That is less than `floor` of the largest, or a variance of less than `least`.

    `prior`, a covariance (D, D), counts as much as 64 rows: few rows say little of what to expect.
    """
    some = spread(rows).astype(np.float64)
    share = len(some) / (len(some) + 64)
    mean = share * some.mean(axis=0)
    centred = some - some.mean(axis=0)
    seen = centred.T @ centred / len(some)
    scale = np.trace(seen) / np.trace(prior) if len(some) > 1 else 1.0
    values, vectors = np.linalg.eigh(share * seen + (1 - share) * scale * prior)
    values, vectors = values[::-1][:size], vectors[:, ::-1][:, :size]
    components = vectors / np.sqrt(np.maximum(values, 0) + floor * values[0] + least)
    return Space(mean.astype(np.float32), components.astype(np.float32))


def spread(rows: np.ndarray, most: int = 8192) -> np.ndarray:
    """At most `most` of the rows, evenly spread."""
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)])


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows (..., D) with length 1; what is nothing stays so."""
    length = np.sqrt(np.einsum("...d,...d->...", rows, rows))[..., None]
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)


def likeliest(first: np.ndarray, second: np.ndarray, likeness: np.ndarray, *, most: int) -> np.ndarray:
    """Which rows hold the best of their pair, for the `most` likeliest partners of each that stands first."""
    order = np.lexsort((-likeness, second, first))
    pair = np.stack([first, second])[:, order]
    new = np.ones(len(order), bool)
    new[1:] = (pair[:, 1:] != pair[:, :-1]).any(axis=0)
    order = order[new]
    order = order[np.lexsort((-likeness[order], first[order]))]
    rank = np.arange(len(order)) - np.searchsorted(first[order], first[order])
    return np.asarray(order[rank < most])


class Index:
    """Vectors (N, D) of length 1 that can be asked for the nearest ones; `owners` (N,) says whose each is."""

    def __init__(self, vectors: np.ndarray, owners: np.ndarray) -> None:
        self._centres = _centres(vectors, max(1, min(len(vectors), round(np.sqrt(_PROBES * len(vectors))))))
        self._looks = max(_PROBES, -(-_LOOKED_AT * len(self._centres) // len(vectors)))
        cells = np.concatenate([(part @ self._centres.T).argmax(axis=1) for part in _parts(vectors)])
        self._places = np.argsort(cells, kind="stable")
        self._vectors = vectors[self._places]
        self._owners = owners[self._places]
        self._starts = np.searchsorted(cells[self._places], np.arange(len(self._centres) + 1))

    def hits(self, queries: np.ndarray, owners: np.ndarray, *, least: float) -> Hits:
        """For each query (Q, D) the nearest vector of another owner in each of the nearest cells, if `least` alike."""
        asked, cells = self._probes(queries)
        order = np.argsort(cells, kind="stable")
        asked, bounds = asked[order], np.searchsorted(cells[order], np.arange(len(self._centres) + 1))
        found = [
            self._within(cell, queries, (asked[bounds[cell] : bounds[cell + 1]], owners))
            for cell in np.flatnonzero(np.diff(bounds) * np.diff(self._starts))
        ]
        if not found:
            return Hits(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))
        query, place, likeness = (np.concatenate(column) for column in zip(*found, strict=True))
        kept = likeness >= least
        return Hits(query[kept], place[kept], likeness[kept])

    def _probes(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a query and a cell: for each query its nearest cells."""
        near = queries @ self._centres.T
        chosen = _best(near, min(self._looks, len(self._centres)))
        return np.tile(np.arange(len(queries)), len(chosen)), np.concatenate(chosen)

    def _within(self, cell: np.intp, queries: np.ndarray, who: tuple[np.ndarray, np.ndarray]) -> Hits:
        asked, owners = who
        inside = slice(self._starts[cell], self._starts[cell + 1])
        near = queries[asked] @ self._vectors[inside].T
        near[owners[asked][:, None] == self._owners[inside]] = -1
        [best] = _best(near, 1)
        return Hits(asked, self._places[inside][best], near[np.arange(len(asked)), best])


def _best(scores: np.ndarray, count: int) -> list[np.ndarray]:
    """The columns of the `count` largest scores of each row, the largest first. Changes the scores."""
    rows = np.arange(len(scores))
    chosen = [scores.argmax(axis=1)]
    for _ in range(count - 1):
        scores[rows, chosen[-1]] = -2
        chosen.append(scores.argmax(axis=1))
    return chosen


def _centres(vectors: np.ndarray, count: int) -> np.ndarray:
    """Middles of `count` clusters on the sphere, by a few rounds of Lloyd's algorithm on some of the vectors."""
    some = spread(vectors, 32 * count)
    centres = spread(some, count)
    for _ in range(_ROUNDS):
        nearest = np.concatenate([(part @ centres.T).argmax(axis=1) for part in _parts(some)])
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, some)
        filled = np.bincount(nearest, minlength=count) > 0
        centres = np.asarray(np.where(filled[:, None], unit(sums), centres))
    return centres


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + 8192] for start in range(0, len(rows), 8192)]
