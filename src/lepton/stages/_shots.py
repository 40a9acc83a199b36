"""Few examples: some records of each class are kept to learn from, as where few were labelled."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lepton.core import seeds
from lepton.core.errors import UserError
from lepton.core.types import Record


@dataclass(frozen=True)
class Drawn:
    """The records that are left, in their order, and how many training records that left out; classes that had fewer.

    `shots` are the records of a class.
    """

    records: list[Record]
    shots: int
    left_out: int
    fewer: dict[str, int]

    @property
    def fact(self) -> dict[str, Any]:
        """What the ledger says of the draw."""
        return {"of_a_class": self.shots, "left_out": self.left_out, "fewer": self.fewer}

    @property
    def told(self) -> str:
        """What was drawn, in one line."""
        kept = sum(record.split == "train" for record in self.records)
        short = "; ".join(f"{name} has {count}" for name, count in list(self.fewer.items())[:5])
        more = f"; and {len(self.fewer) - 5} more" if len(self.fewer) > 5 else ""
        exact = f" (fewer: {short}{more})" if short else ""
        return f"{self.shots} training records of each class are learned from: {kept} of {kept + self.left_out}{exact}"


def draw(records: Sequence[Record], shots: int, seed: int) -> Drawn:
    """Keep `shots` training records of each class, drawn by the seed; other splits stay whole.

    A draw holds those of smaller ones. Raises UserError where records do not have one class each.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        if record.split == "train":
            places[_class(record)].append(place)
    chosen = {place for kind, known in places.items() for place in _some(known, shots, (seed, kind))}
    kept = [record for place, record in enumerate(records) if record.split != "train" or place in chosen]
    fewer = {kind: len(known) for kind, known in sorted(places.items()) if len(known) < shots}
    return Drawn(kept, shots, len(records) - len(kept), fewer)


def _some(places: Sequence[int], shots: int, named: tuple[int, str]) -> list[int]:
    seed, kind = named
    order = seeds.generator(seed, "shots", kind).permutation(len(places))
    return [places[index] for index in order[:shots]]


def _class(record: Record) -> str:
    if not isinstance(record.label, str):
        raise UserError(
            "[data.shots] does not fit the labels",
            rule="It counts the records of a class, so each has to have one class",
            received=f"{record.id} with {type(record.label).__name__}",
            remedy="Leave data.shots out, or give fewer records",
        )
    return record.label
