"""Leaks between given splits: which records they are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lepton.checks import _near
from lepton.checks._near import Pair
from lepton.core.types import Record

_HELD_OUT = ("test", "validation")


@dataclass(frozen=True)
class Leaks:
    """Pairs (training record, record of a given test or validation split): of one content, and nearly so."""

    pairs: Sequence[tuple[str, str]]
    near: Sequence[tuple[str, str]]

    def train(self) -> dict[str, list[str]]:
        """The training records of either kind."""
        return {"exact": sorted({one for one, _ in self.pairs}), "near": sorted({one for one, _ in self.near})}


def find(records: Sequence[Record], digests: Mapping[str, str], near: Iterable[Pair]) -> Leaks:
    """The leaks between the splits that `records` were given; each training record stands in one pair at most."""
    exact = _pairs(records, digests)
    known = {one for one, _ in exact}
    alike = [pair for pair in _pairs(records, _near.tied(near)) if pair[0] not in known]
    return Leaks(exact, alike)


def in_train(records: Sequence[Record], digests: Mapping[str, str], near: Iterable[Pair]) -> dict[str, list[str]]:
    """The records of a given test split whose content stands in the given train split too: exactly, or nearly."""
    exact = _also(records, digests)
    alike = set(_also(records, _near.tied(near))) - set(exact)
    return {"exact": exact, "near": [record.id for record in records if record.id in alike]}


def _pairs(records: Sequence[Record], keys: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each training record with the first record of a held-out split that has its key."""
    held_out: dict[Any, str] = {}
    for record in records:
        if record.split in _HELD_OUT and record.id in keys:
            held_out.setdefault(keys[record.id], record.id)
    train = (record.id for record in records if record.split == "train" and record.id in keys)
    return [(name, held_out[keys[name]]) for name in train if keys[name] in held_out]


def _also(records: Sequence[Record], keys: Mapping[str, Any]) -> list[str]:
    there: dict[Any, set[str | None]] = defaultdict(set)
    for record in records:
        if record.id in keys:
            there[keys[record.id]].add(record.split)
    return [item.id for item in records if item.split == "test" and "train" in there.get(keys.get(item.id), ())]
