"""Doubts as tasks of Label Studio, with what is suggested as predictions, and the answers of its export.

Its formats: https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lepton.checks import _content
from lepton.checks._words import label_text
from lepton.core.errors import UserError
from lepton.core.labels import spans
from lepton.core.types import Label, Raw, Record, Span
from lepton.mending.queue import Answer, Doubt

MODEL = "lepton audit"

_INLINE = 4_000_000
"""Bytes up to which a file travels inside its task; larger ones are named by their path."""

_SOUNDS = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg"}
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp"}
_TAGS = {"text": "Text", "image": "Image", "audio": "Audio"}


def tasks(found: Sequence[Doubt]) -> list[dict[str, Any]]:
    """A task for each doubt; `data` has `id`, `content` and `given` besides what is shown, and exports keep them."""
    return [_task(doubt) for doubt in found]


def layout(record: Record, names: Sequence[str]) -> str:
    """The labelling configuration (XML) for records like this one, with `names` to choose from."""
    kind, _ = _shown(record)
    whole = record.label is None or isinstance(record.label, str)
    outer, inner = ("Choices", "Choice") if whole else ("Labels", "Label")
    choices = "".join(f"<{inner} value={quoteattr(name)}/>" for name in names)
    shown = f'<{_TAGS[kind]} name="{kind}" value="${kind}"/>'
    return f'<View>{shown}<{outer} name="label" toName="{kind}">{choices}</{outer}></View>\n'


def answers(text: str, by: str = "") -> list[Answer]:
    """What people said in an export (JSON), each task's last annotation; who is not named by e-mail is `by`.

    Tasks that nobody annotated, or that were skipped, say nothing. Raises UserError where it is no such export.
    """
    found = _parsed(text)
    return [answer for task in found if (answer := _answer(task, by)) is not None]


def _task(doubt: Doubt) -> dict[str, Any]:
    record = doubt.record
    kind, shown = _shown(record)
    known = {"id": record.id, "content": doubt.content, "given": label_text(record.label), "why": doubt.why}
    prediction = {"model_version": MODEL, "score": doubt.score, "result": _result(doubt, kind)}
    return {"data": {kind: shown, **known}, "predictions": [prediction] if doubt.suggested is not None else []}


def _result(doubt: Doubt, kind: str) -> list[dict[str, Any]]:
    """The suggestion as regions of Label Studio."""
    place = {"from_name": "label", "to_name": kind}
    if isinstance(doubt.suggested, str):
        return [{**place, "type": "choices", "value": {"choices": [doubt.suggested]}}]
    text = str(doubt.record.raw)
    return [
        {
            **place,
            "id": f"entity{number}",
            "type": "labels",
            "value": {
                "start": span.start,
                "end": span.end,
                "text": text[span.start : span.end],
                "labels": [span.label],
            },
        }
        for number, span in enumerate(spans(doubt.suggested))
    ]


def _shown(record: Record) -> tuple[str, str]:
    """What kind of thing a record is, and the text, the file as a data URI, or the path of a large one."""
    raw = record.read()
    if isinstance(raw, str):
        return "text", raw
    kind = "audio" if _content.is_sound(raw) else "image"
    if len(raw) > _INLINE and isinstance(record.raw, Path):
        return kind, str(record.raw)
    return kind, f"data:{kind}/{_type(raw, kind)};base64,{base64.b64encode(raw).decode('ascii')}"


def _type(raw: Raw, kind: str) -> str:
    known = _SOUNDS if kind == "audio" else _PICTURES
    return next((name for mark, name in known.items() if bytes(raw[:4]).startswith(mark)), "octet-stream")  # type: ignore[arg-type]


def _parsed(text: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError("This is no JSON", rule=str(error)) from error
    tasks = found if isinstance(found, list) else []
    if not tasks or not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks):
        raise UserError("This is no export of Label Studio", rule="It is a list of tasks", remedy="Export it as JSON")
    return tasks


def _answer(task: Mapping[str, Any], by: str) -> Answer | None:
    data = task["data"]
    last = next((item for item in reversed(_done(task)) if not item.get("was_cancelled")), None)
    label = _label(last.get("result") or []) if last is not None else None
    if last is None or label is None or "id" not in data or "content" not in data:
        return None
    return Answer(str(data["id"]), str(data["content"]), label, _who(last) or by)


def _done(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(task.get("annotations") or [], key=lambda item: str(item.get("updated_at") or ""))


def _label(result: Sequence[Mapping[str, Any]]) -> Label:
    """The class, or the entities; no region at all says that there is no entity."""
    values = [item.get("value") or {} for item in result]
    chosen = next((value["choices"][0] for value in values if value.get("choices")), None)
    if chosen is not None:
        return str(chosen)
    spans = [value for value in values if value.get("labels")]
    return tuple(sorted(Span(int(item["start"]), int(item["end"]), str(item["labels"][0])) for item in spans))


def _who(annotation: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    return str(by.get("email") or "") if isinstance(by, dict) else ""
