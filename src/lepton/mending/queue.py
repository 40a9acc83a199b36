"""The records whose labels a person should look at, as a table to be filled in, and what was filled in."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lepton.checks._finding import Finding
from lepton.checks._words import label_text
from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.types import Label, Record
from lepton.mending import labels
from lepton.mending.corrections import Correction

COLUMNS = ("id", "given", "suggested", "score", "why", "correction", "who", "reason", "shown", "content")
"""What the table has; people fill in `correction`, and `who` and `reason` if they like."""

_NEEDED = ("id", "correction", "content")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record whose label is in doubt: how much, in [0, 1], what it may be, what says so, and its content."""

    record: Record
    score: float
    suggested: Label
    why: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said of a record: the label, or its text as it was written; `content` is what they looked at."""

    id: str
    content: str
    label: Label
    who: str
    why: str = ""
    written: bool = False


@dataclass(frozen=True)
class Taken:
    """Answers that can be kept, and those that cannot, each with the reason."""

    corrections: Sequence[Correction]
    refused: Sequence[tuple[str, str]]


def doubts(records: Sequence[Record], findings: Iterable[Finding], digests: Mapping[str, str]) -> list[Doubt]:
    """The suspects of all checks that are about labels, each once, the most suspect first."""
    by_id = {record.id: record for record in records}
    found: dict[str, Doubt] = {}
    for finding in (item for item in findings if _about_labels(item.check)):
        for suspect in finding.records:
            record, why = by_id[suspect.id], finding.check.replace("_", " ")
            suggested = _suggested(suspect.suggested, record)
            doubt = Doubt(record, suspect.score, suggested, why, digests[record.id])
            found[record.id] = _joined(found[record.id], doubt) if record.id in found else doubt
    return sorted(found.values(), key=lambda doubt: -doubt.score)


def table(found: Sequence[Doubt]) -> str:
    """The doubts as CSV with the columns COLUMNS, those that people fill in empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="")
    writer.writeheader()
    for doubt in found:
        record = doubt.record
        shown = record.raw if isinstance(record.raw, str | Path) else ""
        told = {"id": record.id, "given": label_text(record.label), "suggested": label_text(doubt.suggested)}
        more = {"score": f"{doubt.score:.4f}", "why": doubt.why, "shown": shown, "content": doubt.content}
        writer.writerow({**told, **more})
    return stream.getvalue()


def answers(text: str, by: str = "") -> list[Answer]:
    """What a table says where `correction` is filled in; who is not named in it is `by`.

    Its columns may be parted by commas, semicolons or tabs, as spreadsheets of different countries save them. Raises
    UserError where it is no such table.
    """
    heads = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=heads.count))
    missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
    if missing:
        rule = f"It has the columns {', '.join(_NEEDED)}"
        received = ", ".join(map(str, rows.fieldnames or ()))
        raise UserError("This is no table of corrections", rule=rule, received=received, remedy="lepton review DATA")
    filled = (row for row in rows if (row["correction"] or "").strip())
    return [
        Answer(row["id"], row["content"] or "", row["correction"], row.get("who") or by, row.get("reason") or "", True)
        for row in filled
    ]


def taken(
    said: Sequence[Answer], records: Sequence[Record], digests: Mapping[str, str], *, new_labels: bool = False
) -> Taken:
    """Hold answers against the data as they are now.

    Refused are those whose record is gone or holds something else than what was looked at, those that cannot be read,
    and, but for `new_labels`, those that say a class which does not occur.
    """
    by_id = {record.id: record for record in records}
    names = None if new_labels else labels.known(records)
    kept, refused = [], []
    for answer in said:
        try:
            kept.append(_kept(answer, by_id.get(answer.id), (digests, names)))
        except UserError as error:
            refused.append((answer.id, error.message))
    return Taken(kept, refused)


def _kept(answer: Answer, record: Record | None, known: tuple[Mapping[str, str], Sequence[str] | None]) -> Correction:
    digests, names = known
    if record is None:
        raise UserError("There is no such record")
    if digests[record.id] != answer.content:
        raise UserError("Its content is not what was looked at", remedy="Look at it again: lepton review DATA")
    label = labels.read(str(answer.label), record) if answer.written else labels.fitting(answer.label, record)
    if names is not None:
        labels.check_known(label, names)
    return Correction(record.id, answer.content, record.label, label, answer.who, answer.why)


def _about_labels(check: str) -> bool:
    return getattr(plugins.load("checks", check), "ABOUT", "") == "labels"


def _suggested(text: str | None, record: Record) -> Label:
    """What a check suggests, as a label; None where it suggests nothing that this record could have."""
    if text is None:
        return None
    try:
        return labels.read(text, record)
    except UserError:
        return None


def _joined(first: Doubt, second: Doubt) -> Doubt:
    """One doubt of two checks: the graver one, with what either suggests."""
    worse, other = (first, second) if first.score >= second.score else (second, first)
    suggested = worse.suggested if worse.suggested is not None else other.suggested
    return replace(worse, suggested=suggested, why=", ".join(dict.fromkeys((first.why, second.why))))
