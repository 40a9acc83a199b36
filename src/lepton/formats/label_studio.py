"""Boxes or classes of pictures in Label Studio's JSON: a list of tasks, each with what people said of it.

https://labelstud.io/guide/export: the full export and the short one. Places are percents of a picture's sides.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats import _boxes, _json, _names, _pictures

MODALITY = "image"
LABELS = "boxes"

_RULE = 'It is [{"data": {"image": ...}, "annotations": [{"result": [...]}]}], as Label Studio exports it'
_SIGNS = re.compile(r'"(rectanglelabels|polygonlabels|ellipselabels)"|"image"\s*:\s*"')
_TASKS = re.compile(r'\s*\[\s*\{.*"(annotations|completions|label|choice)"\s*:', re.DOTALL)
_FILE = "tasks.json"
_PREFIX = re.compile(r"[0-9a-f]{8}-")
_ADDRESS = re.compile(r"data:|[a-zA-Z][\w+.-]*://")
_RADII = ("radiusX", "radiusY")
_SHAPES = ("rectanglelabels", "polygonlabels", "ellipselabels")
_OUTLINES = "outlines left aside: the boxes around them were read"
_OTHERS = "brush strokes, points and other regions left out"
_OPEN = "tasks that nobody annotated left out"

Said = Sequence[Mapping[str, Any]]
"""What one person said of a picture: regions and choices, each with its value."""


def sniff(path: Path) -> bool:
    """Whether `path` is such a file about pictures, or a folder with some."""
    return _suits(path) if path.is_file() else bool(_names.data_files(path, _suits))


def read(path: Path) -> Reading:
    """Read one record a task, named by its picture's place: `images/0001.jpg`.

    Labels are boxes, or classes where nothing is drawn in the whole file; of several annotations the last counts that
    was not skipped. The other texts in `data` become fields, and `split` gives the split. Pictures are looked for
    beside the file and in `images`, whatever the server put before their names; addresses are not fetched. A task
    whose regions are wrong, or whose picture is not there or outside of `path`, is a bad record. Raises UserError for
    what is no such file.
    """
    path = _boxes.root(path)
    found = [path] if path.is_file() else _names.data_files(path, _suits)
    if not found:
        raise UserError(f"{path} holds no tasks of Label Studio", rule=_RULE)
    one = _Pass(_boxes.Pictures(path.parent if path.is_file() else path))
    notes: list[str] = []
    made: list[Record | BadRecord] = []
    for file in found:
        tasks, more = _json.load(file, "file of Label Studio")
        made += one.records(file, _checked(file, tasks))
        notes += more
    return _boxes.reading(made, one.counted, notes)


def write(records: Iterable[Record], place: Path) -> None:
    """Write `tasks.json` and the folder `images`; the fields and the split stand in each task's `data`.

    Raises UserError for a record that is no picture with boxes or a class.
    """
    copies = _pictures.Copies()
    tasks = []
    for number, record in enumerate(records, 1):
        boxes = [] if isinstance(record.label, str) else _pictures.boxes_of(record, "Label Studio")
        picture = copies.add(record, place / "images" / (record.split or ""))
        size = _pictures.size_of(picture)
        split = {"split": record.split} if record.split else {}
        data = {**record.fields, **split, "image": picture.relative_to(place).as_posix()}
        chosen = [{**_PLACE, "type": "choices", "value": {"choices": [record.label]}}]
        result = chosen if isinstance(record.label, str) else [_region(box, size) for box in boxes]
        tasks.append({"id": number, "data": data, "annotations": [{"result": result}]})
    files.write_text(place / _FILE, _json.dumps(tasks) + "\n")


_OURS = ("image", "split")
_PLACE = {"from_name": "label", "to_name": "image"}


def _region(box: Box, size: tuple[int, int]) -> dict[str, Any]:
    wide, high = size
    value: dict[str, Any] = {"x": 100 * box.x1 / wide, "y": 100 * box.y1 / high}
    value |= {"width": 100 * (box.x2 - box.x1) / wide, "height": 100 * (box.y2 - box.y1) / high}
    value |= {"rotation": 0, "rectanglelabels": [box.label]}
    known = {"original_width": wide, "original_height": high, "image_rotation": 0}
    return {**_PLACE, "type": "rectanglelabels", **known, "value": value}


@dataclass(slots=True)
class _Pass:
    """One pass over the files, and what was counted on the way."""

    pictures: _boxes.Pictures
    counted: Counter[str] = field(default_factory=Counter)

    def records(self, path: Path, tasks: Sequence[Mapping[str, Any]]) -> Iterator[Record | BadRecord]:
        """A record for each task that was annotated."""
        said = [_said(task) for task in tasks]
        self.counted[_OPEN] += said.count(None)
        shapes = any(_shape(_value(region)) for regions in said for region in regions or ())
        drawn = shapes or not any(_choice(regions or ()) for regions in said)
        for at, (task, regions) in enumerate(zip(tasks, said, strict=True)):
            if regions is not None:
                data = _data(task)
                made = self._record(path, data, regions if drawn else _choice(regions))
                yield replace(made, id=f"{path.name}#{at}") if isinstance(made, BadRecord) else made

    def _record(self, path: Path, data: Mapping[str, Any], said: Said | str | None) -> Record | BadRecord:
        picture = self._picture(path, str(data.get("image") or ""))
        if isinstance(picture, str) or said is None:
            return BadRecord("", picture if isinstance(picture, str) else "has no choice, or several")
        made = self.pictures.record(picture, () if isinstance(said, str) else self._boxes(said, picture))
        if isinstance(made, BadRecord):
            return made
        split = _names.split_word(str(data.get("split") or ""))
        known = {name: value for name, value in data.items() if isinstance(value, str) and name not in _OURS}
        return replace(made, label=said if isinstance(said, str) else made.label, split=split, fields=known)

    def _picture(self, path: Path, name: str) -> Path | str:
        """The picture of that name, whatever a server put before it, or the reason why there is none."""
        if _ADDRESS.match(name):
            return f"its picture is at an address, which is not fetched: {name[:80]!r}"
        bare = unquote(name.partition("?d=")[2] or name.partition("/data/upload/")[2] or name)
        near = [path.parent, path.parent / "images"]
        found = self.pictures.find(bare, near)
        last = bare.rpartition("/")[2]
        short = _PREFIX.sub("", last, count=1)
        return self.pictures.find(short, near) if isinstance(found, str) and short != last else found

    def _boxes(self, said: Said, picture: Path) -> list[Box] | str:
        """The boxes of the regions, or the reason why one is none."""
        drawn = [region for region in said if _shape(_value(region))]
        self.counted[_OTHERS] += len(said) - len(drawn)
        self.counted[_OUTLINES] += sum("rectanglelabels" not in _value(region) for region in drawn)
        size = _size(drawn, picture)
        made = [size if isinstance(size, str) else _box(_value(region), size) for region in drawn]
        wrong = next((item for item in made if isinstance(item, str)), None)
        return wrong or [item for item in made if isinstance(item, Box)]


def _suits(path: Path) -> bool:
    head = _json.head(path)
    return _TASKS.match(head) is not None and _SIGNS.search(head) is not None


def _checked(path: Path, tasks: Any) -> list[Mapping[str, Any]]:
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) for task in tasks):
        raise UserError(f"{path} holds no tasks of Label Studio", rule=_RULE, received=type(tasks).__name__)
    return tasks


def _data(task: Mapping[str, Any]) -> Mapping[str, Any]:
    data = task.get("data")
    return data if isinstance(data, dict) else task


def _said(task: Mapping[str, Any]) -> Said | None:
    """The regions of the last annotation that was not skipped; None where there is none."""
    if "data" not in task:
        short = task.get("label", task.get("choice"))
        items = short if isinstance(short, list) else [{"choices": [short]}] if isinstance(short, str) else None
        return None if items is None else [item for item in items if isinstance(item, dict)]
    found = task.get("annotations", task.get("completions"))
    kept = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    done = [item for item in kept if not item.get("was_cancelled") and isinstance(item.get("result"), list)]
    last = max(done, key=lambda item: str(item.get("updated_at") or ""), default=None)
    return None if last is None else [item for item in last["result"] if isinstance(item, dict)]


def _value(region: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a region says; in the short export it is the region itself."""
    value = region.get("value", region)
    return value if isinstance(value, dict) else {}


def _shape(value: Mapping[str, Any]) -> str | None:
    return next((name for name in _SHAPES if name in value), None)


def _choice(said: Said) -> str | None:
    chosen = [item for region in said if isinstance(item := _value(region).get("choices"), list)]
    return str(chosen[0][0]) if len(chosen) == 1 and len(chosen[0]) == 1 else None


def _size(regions: Said, picture: Path) -> tuple[float, float] | str:
    """Width and height as the annotator saw the picture, else its own."""
    for region in regions:
        found = _boxes.numbers(region.get(name) for name in ("original_width", "original_height"))
        if found and min(found) > 0:
            return found[0], found[1]
    return _boxes.size_of(picture) if regions else (1, 1)


def _box(value: Mapping[str, Any], size: tuple[float, float]) -> Box | str:
    labels = value.get(_shape(value) or "")
    if not isinstance(labels, list) or not labels or not isinstance(labels[0], str) or not labels[0]:
        return "has a region without a label"
    edges = _edges(value)
    if edges is None:
        return f"has a region of {labels[0][:40]!r} without its numbers"
    xs, ys = ([share * side / 100 for share in shares] for shares, side in zip(edges, size, strict=True))
    degrees = _boxes.number(value.get("rotation", 0))
    if degrees:
        xs, ys = _boxes.turned(xs, ys, degrees, corner="radiusX" not in value)
    if len(xs) == 2:
        return _boxes.rounded((xs[0], ys[0], xs[1], ys[1]), labels[0])
    return _boxes.extent(xs, ys, labels[0])


def _edges(value: Mapping[str, Any]) -> _boxes.Points | None:
    """The corners of a region, in percent: x and y."""
    points = value.get("points")
    if isinstance(points, list):
        pairs = [_boxes.numbers(point) for point in points if isinstance(point, list) and len(point) == 2]
        whole = [pair for pair in pairs if pair]
        return ([x for x, _ in whole], [y for _, y in whole]) if whole and len(whole) == len(points) else None
    round_ = "radiusX" in value
    found = _boxes.numbers(value.get(name) for name in ("x", "y", *(_RADII if round_ else ("width", "height"))))
    if found is None:
        return None
    x, y, wide, high = found
    before = 1 if round_ else 0  # an ellipse is told by its centre, a box by its corner
    return [x - before * wide, x + wide], [y - before * high, y + high]
