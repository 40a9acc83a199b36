"""Records that seem to belong together (one patient, speaker, video, burst), so that they should not be split apart."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lepton.checks import _file_names, _runs
from lepton.checks._finding import Finding, Suspect
from lepton.checks._traits import Traits
from lepton.checks._words import label_text, several
from lepton.core.types import Record

NEEDS = ("traits",)

_NAMED = 100
_SHOWN = 3


class _Suspicion(NamedTuple):
    """Record id -> group, how that was seen, and what to put into the recipe."""

    groups: Mapping[str, str]
    seen: str
    remedy: str


def find(records: Sequence[Record], *, traits: Traits) -> list[Finding]:
    """A finding for each way in which groups show: fields, file names, time and camera, likeness of neighbours by name.

    Where records of a group stand in several of the given splits, that is a warning, and the records named are theirs,
    those of test and validation first; else an info that tells how to split by the groups. At most a hundred are named.
    """
    findings = [_finding(records, suspicion) for suspicion in _suspicions(records, traits)]
    return sorted(findings, key=lambda finding: finding.severity, reverse=True)


def _suspicions(records: Sequence[Record], traits: Traits) -> Iterator[_Suspicion]:
    yield from _fields(records)
    named = _file_names.named(records)
    fields = {name for record in records for name in record.fields}
    if named and not any(_same(named.groups, _values(records, field)) for field in fields):
        yield _Suspicion(named.groups, f"by the names of their files, as {_example(named)}", _recipe(named))
    taken = (
        "Give each record a field that names its {thing}, by a column of a table or in the file's name, and split by it"
    )
    bursts = _runs.bursts(records, traits.taken)
    if bursts:
        yield _Suspicion(bursts, "by the same camera within seconds", f"{taken.format(thing='burst')} {_GROUP}.")
    sequences = _runs.sequences(records, traits)
    if sequences:
        seen = "by name next to pictures that look alike, as frames of a video do"
        yield _Suspicion(sequences, seen, f"{taken.format(thing='video or scene')} {_GROUP}.")


_GROUP = '(split = { group = "..." })'


def _fields(records: Sequence[Record]) -> Iterator[_Suspicion]:
    """Fields whose name is a word for where records come from, and whose values recur."""
    names = {name for record in records for name in record.fields if _file_names.is_identity(name)}
    for name in sorted(names):
        groups = _values(records, name)
        count = len(set(groups.values()))
        if 1 < count <= len(groups) / 2:
            remedy = f'Split by it: in [data] split = {{ group = "{name}" }}.'
            yield _Suspicion(groups, f"by the field {name!r}", remedy)


def _values(records: Sequence[Record], field: str) -> dict[str, str]:
    return {record.id: record.fields[field] for record in records if record.fields.get(field)}


def _example(named: _file_names.Named) -> str:
    name, group = next(iter(named.groups.items()))
    return f"{name.rpartition('/')[2]} is of {group!r}"


def _recipe(named: _file_names.Named) -> str:
    split = f'split = {{ group = "{named.field}" }}'
    if named.pattern is None:
        return f"Give the records a field {named.field!r} by a column of a table, and in [data] {split}."
    return f'In [data], pattern = "{named.pattern}" and {split}.'


def _same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether both divide what they share alike."""
    pairs = {(one[name], other[name]) for name in one if name in other}
    return bool(pairs) and len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs})


def _finding(records: Sequence[Record], suspicion: _Suspicion) -> Finding:
    splits: dict[str, set[str]] = defaultdict(set)
    sizes: Counter[str] = Counter()
    for record in records:
        group = suspicion.groups.get(record.id)
        if group is not None:
            splits[group].add(record.split or "")
            sizes[group] += 1
    crossing = [group for group in sizes if len(splits[group]) > 1]
    together = (
        f"{several(sizes.total(), 'record')} seem to belong together in {several(len(sizes), 'group')} {suspicion.seen}"
    )
    shown = ", ".join(f"{group} ({sizes[group]:,})" for group in (crossing or list(sizes))[:_SHOWN])
    if crossing:
        stand = "stands" if len(crossing) == 1 else "stand"
        message = (
            f"{together}; {len(crossing):,} of them {stand} in several splits, so that scores are too good: {shown}."
        )
    else:
        message = f"{together}: {shown}."
    remedy = suspicion.remedy if crossing else f"If so, keep each in one split. {suspicion.remedy}"
    suspects = _suspects(records, suspicion.groups, set(crossing or sizes), score=1.0 if crossing else 0.5)
    return Finding("undeclared_groups", "warning" if crossing else "info", message, remedy, suspects)


def _suspects(records: Sequence[Record], groups: Mapping[str, str], chosen: set[str], *, score: float) -> list[Suspect]:
    """Records of the chosen groups, those of test and validation first."""
    members = [record for record in records if groups.get(record.id) in chosen]
    members.sort(key=lambda record: record.split in (None, "train"))
    return [Suspect(record.id, score, label_text(record.label)) for record in members[:_NAMED]]
