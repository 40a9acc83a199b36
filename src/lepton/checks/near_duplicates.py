"""Records that are almost one: the same text but for case, space and punctuation, the same picture or recording."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lepton.checks import _near
from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import label_text, several
from lepton.core.types import Record

NEEDS = ("near",)

_PAIRS = (("train", "test"), ("train", "validation"), ("validation", "test"))
_SHOWN = 3
_KEPT = 0.5

Cluster = Sequence[Record]


def find(records: Sequence[Record], *, near: Sequence[_near.Pair]) -> list[Finding]:
    """A finding for each pair of splits that share near-duplicates, and for each split that has some within.

    `near` is what `_near.pairs` finds. Equal contents alone are left to `split_leaks` and `exact_duplicates`. The
    records to set aside come first, with their likeness as score: those in train (or validation, against test), or all
    but the first of each cluster. What they resemble follows with half the score.
    """
    known = _Known.of(near)
    clusters = known.clusters(records)
    across = [finding for source, target in _PAIRS for finding in _across(clusters, (source, target), known)]
    splits = dict.fromkeys(record.split for members in clusters for record in members)
    return [*across, *(finding for split in splits for finding in _within(clusters, split, known))]


@dataclass(frozen=True)
class _Known:
    """What the pairs tell: the near ones, how alike each record is to another, and which contents are equal."""

    pairs: Sequence[_near.Pair]
    near: Sequence[_near.Pair]
    likeness: Mapping[str, float]
    contents: Mapping[str, int]

    @classmethod
    def of(cls, pairs: Sequence[_near.Pair]) -> "_Known":
        near = sorted((pair for pair in pairs if not pair.equal), key=lambda pair: -pair.likeness)
        likeness: dict[str, float] = {}
        for pair in near:
            likeness.setdefault(pair.first, pair.likeness)
            likeness.setdefault(pair.second, pair.likeness)
        return cls(pairs, near, likeness, _near.tied(pair for pair in pairs if pair.equal))

    def clusters(self, records: Sequence[Record]) -> list[Cluster]:
        """The clusters of several contents, each in the records' order."""
        numbers = _near.tied(self.pairs)
        grouped: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            if record.id in numbers:
                grouped[numbers[record.id]].append(record)
        return [members for members in grouped.values() if self.differ(members)]

    def differ(self, members: Cluster) -> bool:
        """Whether the records hold different contents."""
        return len({self.contents.get(record.id, record.id) for record in members}) > 1

    def examples(self, first: Cluster, second: Cluster) -> str:
        """The likest near pairs of one from each, for a message."""
        ones, twos = {record.id for record in first}, {record.id for record in second}
        ends = ((pair[:2] if pair.first in ones else pair[1::-1]) for pair in self.near)
        shown = [f"{one} and {two}" for one, two in ends if one in ones and two in twos][:_SHOWN]
        return ": " + ", ".join(shown) if shown else ""

    def suspects(self, aside: Cluster, kept: Cluster) -> list[Suspect]:
        """The records to set aside, then those that they resemble, each kind with the likest first."""
        named = [(record, self.likeness.get(record.id, 1.0)) for record in aside]
        named += [(record, _KEPT * self.likeness.get(record.id, 1.0)) for record in kept]
        return [
            Suspect(record.id, score, label_text(record.label))
            for record, score in sorted(named, key=lambda item: -item[1])
        ]


def _across(clusters: Sequence[Cluster], splits: tuple[str, str], known: _Known) -> list[Finding]:
    sides = [[[record for record in members if record.split == split] for split in splits] for members in clusters]
    leaks = [(there, here) for there, here in sides if there and here and known.differ([*there, *here])]
    leaking = [record for there, _ in leaks for record in there]
    leaked = [record for _, here in leaks for record in here]
    if not leaked:
        return []
    source, target = splits
    leak = "leaks" if len(leaked) == 1 else "leak"
    message = (
        f"{several(len(leaked), f'{target} record')} {leak} from {source}, nearly the same as "
        f"{several(len(leaking), 'record')} there{known.examples(leaked, leaking)}."
    )
    remedy = f"Set those in {source} aside, or move each cluster to one side: scores on what was seen are too good."
    return [Finding("near_duplicates", "warning", message, remedy, known.suspects(leaking, leaked))]


def _within(clusters: Sequence[Cluster], split: str | None, known: _Known) -> list[Finding]:
    there = [[record for record in members if record.split == split] for members in clusters]
    alike = [members for members in there if known.differ(members)]
    first = [members[0] for members in alike]
    others = [record for members in alike for record in members[1:]]
    if not others:
        return []
    verb = "is" if len(others) == 1 else "are"
    where = f" in {split}" if split else ""
    message = (
        f"{several(len(others), 'record')}{where} {verb} nearly the same as another there"
        f"{known.examples([*first, *others], [*first, *others])}."
    )
    remedy = "Look at some; keep one of each if they tell nothing new."
    return [Finding("near_duplicates", "info", message, remedy, known.suspects(others, first))]
