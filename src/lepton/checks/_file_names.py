"""What file names say of which records belong together: `patient012_03.png`, `7_jackson_12.wav`.

Names go from the general to the particular: what varies last is a running number or a view, and what varies before it,
and is not the label, may be a patient, a speaker, a video.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton.core.types import Record

_FEWEST = 20
_ALIKE = 0.8
"""The share of names that must be built alike."""

_GROUPS = 5  # values that a part should have, so that they can be divided
_MARKS = re.compile(r"([_\-. ]+)")
_NUMBERED = re.compile(r"([A-Za-z]+)(\d+)")
_VIEWED = re.compile(r"(\d+)([A-Za-z]{1,2})")
_WORDS = re.compile(
    r"(?:^|[_\W\d])(?:patient|subject|speaker|person|user|client|author|customer|donor|reader|animal|video|clip|movie"
    "|scene|track|burst|session|scan|study|series|case|visit|site|hospital|camera|device|sensor|house|room|plate|slide"
    "|pat|subj|spk|vid|seq)"
)


@dataclass(frozen=True)
class Named:
    """The part of names that tells groups: record id -> group, and a pattern for the recipe where one can say it."""

    groups: Mapping[str, str]
    field: str
    pattern: str | None


@dataclass
class _Part:
    """What stands at one place of all names; `before` is a word that all have there."""

    values: list[str]
    before: str = ""
    joined: bool = False


def is_identity(field: str) -> bool:
    """Whether a field's name is a word for who or what records come from, such as `patient_id`."""
    return bool(_WORDS.search(field.lower()))


def named(records: Sequence[Record]) -> Named | None:
    """The groups that the names of files tell, or None where they tell none."""
    known = [record for record in records if isinstance(record.raw, Path)]
    split = [_MARKS.split(_stem(record)) for record in known]
    shapes = Counter(_shape(pieces) for pieces in split)
    if len(known) < _FEWEST or shapes.most_common(1)[0][1] < _ALIKE * len(known):
        return None
    usual = shapes.most_common(1)[0][0]
    chosen = [at for at, pieces in enumerate(split) if _shape(pieces) == usual]
    members = [known[at] for at in chosen]
    parts = [part for at in range(0, len(split[chosen[0]]), 2) for part in _parts([split[row][at] for row in chosen])]
    roles = _roles(parts, members)
    if "group" not in roles:
        return None
    part = parts[roles.index("group")]
    field = part.before.lower().strip() if is_identity(part.before) else "group"
    groups = {record.id: value for record, value in zip(members, part.values, strict=True)}
    return Named(groups, field, _pattern(parts, (roles, field, usual), members[0]))


def _stem(record: Record) -> str:
    return Path(record.id.rpartition("/")[2].rpartition(":")[2]).stem


def _shape(pieces: Sequence[str]) -> tuple[str, ...]:
    return tuple(pieces[1::2])


def _parts(values: list[str]) -> list[_Part]:
    """A place of the names as one part, or as two: a word and a number, or a number and a letter such as L and R."""
    numbered = [_NUMBERED.fullmatch(value) for value in values]
    words = {match[1] for match in numbered if match}
    if len(words) == 1 and all(numbered):
        return [_Part([match[2] for match in numbered if match], next(iter(words)))]
    viewed = [_VIEWED.fullmatch(value) for value in values]
    if all(viewed) and 1 < len({match[2].lower() for match in viewed if match}) <= _GROUPS:
        return [_Part([match[at] for match in viewed if match], joined=at == 2) for at in (1, 2)]
    return [_Part(values)]


def _roles(parts: Sequence[_Part], records: Sequence[Record]) -> list[str]:
    """What each part is: "same", "label", "split", "index", "group", or "other"."""
    roles = [_told(part, records) for part in parts]
    open_ = [at for at, role in enumerate(roles) if role == "other"]
    if len(open_) < 2:
        return roles
    roles[open_[-1]] = "index"
    fitting = [at for at in open_[:-1] if _gathers(parts[at].values)]
    many = [at for at in fitting if len(set(parts[at].values)) >= _GROUPS]
    if fitting:
        roles[(many or fitting)[0]] = "group"
    return roles


def _told(part: _Part, records: Sequence[Record]) -> str:
    if len(set(part.values)) == 1:
        return "same"
    classes = [record.label if isinstance(record.label, str) else "" for record in records]
    for role, of in (("label", classes), ("split", [str(record.split) for record in records])):
        if 1 < len(set(of)) <= len(of) / 2 and _follows(part.values, of):
            return role
    return "other"


def _follows(values: Sequence[str], of: Sequence[str]) -> bool:
    """Whether each of the others goes with one value nearly always."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for value, other in zip(values, of, strict=True):
        counts[other][value] += 1
    return sum(counter.most_common(1)[0][1] for counter in counts.values()) >= 0.99 * len(values)


def _gathers(values: Sequence[str]) -> bool:
    """Whether most values stand in several names."""
    counts = Counter(values)
    repeated = sum(count for count in counts.values() if count > 1)
    return 2 <= len(counts) <= len(values) / 2 and repeated >= 0.8 * len(values)


def _pattern(parts: Sequence[_Part], told: tuple[Sequence[str], str, Sequence[str]], example: Record) -> str | None:
    roles, field, marks = told
    if any(part.joined for part in parts):
        return None
    names = {"group": f"{{{field}}}", "label": "{label}", "index": "{index}", "other": "{_}", "split": "{_}"}
    said = [part.before + names.get(role, part.values[0]) for part, role in zip(parts, roles, strict=True)]
    text = said[0] + "".join(mark + piece for mark, piece in zip(marks, said[1:], strict=True))
    return text + Path(example.id).suffix
