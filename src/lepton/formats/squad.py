"""Question answering in SQuAD JSON, versions 1.1 and 2.0: the answer is a stretch of the context."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record, Span
from lepton.formats import _bio, _json, _names
from lepton.formats._joined import joined
from lepton.formats._text import several, some

MODALITY = "text"
ANSWER = "answer"

_RULE = 'It is {"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers"}]}]}]}'
_MORE = ("answers", "plausible_answers")


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some."""
    return _suits(path) if path.is_file() else bool(_names.data_files(path, _suits))


def read(path: Path) -> Reading:
    r"""Read one record a question; ids are `dev.json#17`, questions counted from 0.

    The text is the question, a line end, and the context; the label is the answer as an entity `answer` of that text,
    or no entity where the question cannot be answered. Of several answers the most frequent is the label, and all
    stand in the field `answers` as JSON. `paragraph` is the same for questions of one context, so that a group by it
    keeps these together; `id`, `title` and `question` are fields too. An answer that stands elsewhere than said is
    looked for, and the record is bad where it is nowhere. In a folder the files' names give the splits; files without
    splits are all read, with the field `file`. Raises UserError for what is no such file.
    """
    if path.is_file():
        return _one(path, path.name, None)
    found = _names.data_files(path, _suits)
    if not found:
        raise UserError(f"{path} holds no SQuAD file", rule=_RULE)
    parts = _names.by_split(found) or {None: found}
    aside = [file.name for file in found if not any(file in part for part in parts.values())]
    several_files = len(found) > 1 and None in parts
    notes = [f"{several(len(found), 'file')} without names of splits were all read"] if several_files else []
    notes += [f"not read, for their names carry no split: {some(aside, 8)}"] if aside else []
    readings = [
        _one(file, file.relative_to(path).as_posix(), split, told=several_files)
        for split, part in parts.items()
        for file in part
    ]
    return joined([Reading([], [], notes), *readings])


def write(records: Iterable[Record], place: Path) -> None:
    """Write a file a split into the folder `place`: `train.json`; without splits `data.json`.

    A text without the field `question` has it in its first line. Raises UserError for a record that is no text with
    entities.
    """
    parts: dict[str, _Written] = {}
    for record in records:
        parts.setdefault(record.split or "data", _Written()).add(record)
    for name, part in parts.items():
        files.write_text(place / f"{name}.json", _json.dumps(part.document()) + "\n")


@dataclass(slots=True)
class _Paragraph:
    """A context with its place in the file, and the remarks that its questions add to."""

    title: str
    place: str
    context: str
    mended: Counter[str]

    def record(self, identity: str, item: Any) -> Record | BadRecord:
        """One question."""
        question = item.get("question") if isinstance(item, dict) else None
        if not isinstance(question, str) or not question.strip():
            return BadRecord(identity, "has no question")
        answers = self._answers(item.get("answers"))
        if isinstance(answers, str):
            return BadRecord(identity, answers)
        before = len(question) + 1
        usual = Counter(answers).most_common(1)
        label = tuple(Span(before + start, before + start + len(text), ANSWER) for (start, text), _ in usual)
        given = {"id": str(item.get("id", "")), "title": self.title, "paragraph": self.place, "question": question}
        fields = {name: text for name, text in {**given, **_more(item)}.items() if text}
        return Record(identity, f"{question}\n{self.context}", label, None, fields)

    def _answers(self, items: Any) -> list[tuple[int, str]] | str:
        """Start and text of each answer, or the reason why one is none."""
        made = []
        for item in items if isinstance(items, list) else []:
            start, text = (item.get("answer_start"), item.get("text")) if isinstance(item, dict) else (None, None)
            if not isinstance(start, int) or not isinstance(text, str) or not text.strip():
                return "has an answer without a start and a text"
            found = self._found(start, text)
            if found is None:
                return f"its answer does not stand in the context: {text[:60]!r}"
            made.append((found, text))
        return made

    def _found(self, start: int, text: str) -> int | None:
        """Where the answer begins: at `start`, else at the nearest place that holds it."""
        if start >= 0 and self.context.startswith(text, start):
            return start
        places = [match.start() for match in re.finditer(re.escape(text), self.context)]
        self.mended["answers"] += bool(places)
        return min(places, key=lambda place: abs(place - start), default=None)


@dataclass(slots=True)
class _Written:
    """The contexts of one file, by title and context, with their questions."""

    titles: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    open: bool = False

    def add(self, record: Record) -> None:
        """Take a record in."""
        raw, spans = _bio.entities(record, "SQuAD")
        question = record.fields.get("question") or raw.partition("\n")[0]
        context = raw[len(question) + 1 :]
        answers = _kept(record, "answers") or [
            {"answer_start": span.start - len(question) - 1, "text": raw[span.start : span.end]} for span in spans
        ]
        item: dict[str, Any] = {"id": record.fields.get("id") or record.id, "question": question, "answers": answers}
        if not answers:
            self.open = True
            item |= {"is_impossible": True, "plausible_answers": _kept(record, "plausible_answers")}
        self.titles.setdefault(record.fields.get("title", ""), {}).setdefault(context, []).append(item)

    def document(self) -> dict[str, Any]:
        """The file's content."""
        articles = [
            {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in contexts.items()]}
            for title, contexts in self.titles.items()
        ]
        return {"version": "v2.0" if self.open else "1.1", "data": articles}


def _suits(path: Path) -> bool:
    text = _json.head(path)
    return text.lstrip().startswith("{") and '"data"' in text and bool(re.search(r'"paragraphs"\s*:\s*\[', text))


def _one(path: Path, name: str, split: str | None, *, told: bool = False) -> Reading:
    document, notes = _json.load(path, "SQuAD file")
    mended: Counter[str] = Counter()
    made = [
        paragraph.record(f"{name}#{at}", item)
        for at, (paragraph, item) in enumerate(_questions(path, document, mended))
    ]
    if not made:
        raise UserError(f"{path} holds no question", rule=_RULE)
    more = {"file": name} if told else {}
    records = [
        Record(item.id, item.raw, item.label, split, {**item.fields, **more})
        for item in made
        if isinstance(item, Record)
    ]
    told_of = f"{name}: {several(mended['answers'], 'answer')} stood elsewhere than said, and were found nearby"
    bad = [item for item in made if isinstance(item, BadRecord)]
    return Reading(records, bad, [*notes, *([told_of] if mended["answers"] else [])])


def _questions(path: Path, document: Any, mended: Counter[str]) -> Iterator[tuple[_Paragraph, Any]]:
    articles = document.get("data") if isinstance(document, dict) else None
    for number, article in enumerate(_listed(path, articles)):
        title = str(article.get("title") or "") if isinstance(article, dict) else ""
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        for at, paragraph in enumerate(_listed(path, paragraphs)):
            context = paragraph.get("context") if isinstance(paragraph, dict) else None
            if not isinstance(context, str):
                raise UserError(f"{path} is no SQuAD file: a paragraph has no context", rule=_RULE)
            known = _Paragraph(title, f"{path.name}:{number}.{at}", context, mended)
            yield from ((known, item) for item in _listed(path, paragraph.get("qas")))


def _listed(path: Path, items: Any) -> Sequence[Any]:
    if not isinstance(items, list):
        raise UserError(f"{path} is no SQuAD file", rule=_RULE, received=type(items).__name__)
    return items


def _more(item: Mapping[str, Any]) -> dict[str, str]:
    """Several answers, or plausible ones, as JSON."""
    found = {name: item.get(name) for name in _MORE}
    return {
        name: _json.dumps(value)
        for name, value in found.items()
        if isinstance(value, list) and len(value) > (name == "answers")
    }


def _kept(record: Record, name: str) -> list[Any]:
    return list(json.loads(record.fields[name])) if name in record.fields else []
