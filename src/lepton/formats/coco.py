"""Boxes in COCO JSON: one file a split with its images, annotations and categories.

T.-Y. Lin et al.: Microsoft COCO, 2014; https://cocodataset.org/#format-data. A box is x, y, width and height.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats import _boxes, _json, _names, _pictures

MODALITY = "image"
LABELS = "boxes"

_RULE = 'It is {"images": [{"id", "file_name"}], "annotations": [{"image_id", "category_id", "bbox"}], "categories"}'
_SIGNS = re.compile(r'"(images"\s*:\s*\[\s*\{[^\[\]]*"file_name"|annotations"\s*:\s*\[\s*\{.*?"bbox")', re.DOTALL)
_MOST = 1000
_CROWD = "crowd regions left out, since they are no boxes of one thing"
_SHAPES = "outlines left aside: the boxes around them were read"
_ORPHANS = "annotations of pictures that are not listed left out"


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some in it, in `annotations` or in folders of splits."""
    return _suits(path) if path.is_file() else bool(_files(path))


def read(path: Path) -> Reading:
    """Read one record a picture, named by its place: `train2017/0001.jpg`; pictures are not opened.

    Files named `instances...` go before others; their names, or their folders', give the splits. A picture is looked
    for in folders of the names that its file has, then by its own name anywhere. A picture is a bad record
    where one of its boxes is none, or names no category, and where it is not there or outside of `path`. Outlines are
    not read. Raises UserError for what is no such file.
    """
    path = _boxes.root(path)
    found = [path] if path.is_file() else _chosen(path)
    if not found:
        raise UserError(f"{path} holds no COCO file", rule=_RULE)
    root = _root(path)
    one = _boxes.Pictures(root)
    made: list[Record | BadRecord] = []
    counted: Counter[str] = Counter()
    notes: list[str] = []
    for file in found:
        document, more = _document(file)
        split = _split(file) if path.is_dir() else _names.split_of(file.name)
        made += _Pass(one, counted, _categories(document), split, _near(file, root)).records(document)
        notes += more
    return _boxes.reading(made, counted, notes)


def write(records: Iterable[Record], place: Path) -> None:
    """Write `annotations/instances_train.json` and the folder `train`, and so on; without splits `images`.

    Categories are numbered from 1 in the order of their names. Raises UserError for a record that is no picture with
    boxes.
    """
    copies = _pictures.Copies()
    parts: dict[str | None, _Written] = {}
    for record in records:
        boxes = _pictures.boxes_of(record, "COCO")
        picture = copies.add(record, place / (record.split or "images"))
        parts.setdefault(record.split, _Written()).add(picture, boxes)
    names = sorted({box.label for part in parts.values() for _, boxes in part.boxes for box in boxes})
    for split, part in parts.items():
        name = f"instances_{split}.json" if split else "instances.json"
        files.write_text(place / "annotations" / name, _json.dumps(part.document(names)) + "\n")


@dataclass(slots=True)
class _Written:
    """The content of one file as it grows."""

    images: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[tuple[int, Sequence[Box]]] = field(default_factory=list)

    def add(self, picture: Path, boxes: Sequence[Box]) -> None:
        """Take a picture in."""
        size = _pictures.size_of(picture)
        number = len(self.images) + 1
        self.images.append({"id": number, "file_name": picture.name, "width": size[0], "height": size[1]})
        self.boxes.append((number, boxes))

    def document(self, names: Sequence[str]) -> dict[str, Any]:
        """The file's content."""
        numbers = {name: number for number, name in enumerate(names, 1)}
        pairs = ((image, box) for image, boxes in self.boxes for box in boxes)
        annotations = [
            {"id": number, "image_id": image, "category_id": numbers[box.label], **_edges(box), "iscrowd": 0}
            for number, (image, box) in enumerate(pairs, 1)
        ]
        categories = [{"id": number, "name": name} for name, number in numbers.items()]
        return {"images": self.images, "annotations": annotations, "categories": categories}


def _edges(box: Box) -> dict[str, Any]:
    width, height = (_boxes.tidy(side) for side in (box.x2 - box.x1, box.y2 - box.y1))
    edges = [_pictures.plain(value) for value in (box.x1, box.y1, width, height)]
    return {"bbox": edges, "area": _pictures.plain(_boxes.tidy(width * height))}


def _suits(path: Path) -> bool:
    return _SIGNS.search(_json.head(path)) is not None


def _files(folder: Path) -> list[Path]:
    items = _names.visible(folder)
    below = (inner for item in items[:_MOST] if item.is_dir() for inner in islice(item.glob("*.json"), _MOST))
    return [item for item in [*(item for item in items if item.suffix == ".json"), *sorted(below)] if _suits(item)]


def _chosen(folder: Path) -> list[Path]:
    found = _files(folder)
    instances = [item for item in found if "instances" in item.name.casefold()] or found
    splits = [_split(item) for item in instances]
    if len(set(splits)) < len(splits):
        raise _names.unclear(folder, instances)
    return instances


def _root(path: Path) -> Path:
    """The data set's folder: of a file in `annotations` the one above."""
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name.casefold() == "annotations" else path.parent


def _split(path: Path) -> str | None:
    return _names.split_of(path.name) or _names.split_word(path.parent.name)


def _document(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """What a file holds, without the outlines in it, and remarks on its encoding."""
    document, notes = _json.load(path, "COCO file", each=_light)
    found = document if isinstance(document, dict) else {}
    for name in ("images", "annotations", "categories"):
        if not isinstance(found.get(name), list):
            raise UserError(f"{path} is no COCO file: it has no list of {name}", rule=_RULE)
    return found, notes


def _light(item: dict[str, Any]) -> dict[str, Any]:
    """An object as it is read: of an outline, which may be most of a file, it is kept only that there is one."""
    if "segmentation" in item:
        item["segmentation"] = bool(item["segmentation"])
    return item


@dataclass(slots=True)
class _Pass:
    """One pass over a file; `counted` is what was met on the way."""

    pictures: _boxes.Pictures
    counted: Counter[str]
    names: Mapping[Any, str]
    split: str | None
    near: Sequence[Path]

    def records(self, document: Mapping[str, Any]) -> Iterator[Record | BadRecord]:
        """A record for each picture."""
        images = list(_objects(document["images"]))
        boxes: dict[Any, list[Box | str]] = {image.get("id"): [] for image in images}
        for item in _objects(document["annotations"]):
            self._add(item, boxes)
        yield from (self._record(image, boxes[image.get("id")]) for image in images)

    def _add(self, item: Mapping[str, Any], boxes: Mapping[Any, list[Box | str]]) -> None:
        found = boxes.get(item.get("image_id"))
        if found is None:
            self.counted[_ORPHANS] += 1
        elif item.get("iscrowd") == 1:
            self.counted[_CROWD] += 1
        else:
            self.counted[_SHAPES] += item.get("segmentation") is True
            found.append(self._box(item))

    def _box(self, item: Mapping[str, Any]) -> Box | str:
        told, written = f"its annotation {item.get('id')}", item.get("bbox")
        edges = _boxes.numbers(written) if isinstance(written, list) and len(written) == 4 else None
        if edges is None:
            return f"{told} has no box of four numbers"
        name = self.names.get(item.get("category_id"))
        if name is None:
            return f"{told} is of a category that is not listed: {str(item.get('category_id'))[:40]}"
        left, top, width, height = edges
        return _boxes.rounded((left, top, left + width, top + height), name)

    def _record(self, image: Mapping[str, Any], boxes: Sequence[Box | str]) -> Record | BadRecord:
        picture = self.pictures.find(str(image.get("file_name") or ""), self.near)
        if isinstance(picture, str):
            return BadRecord(str(image.get("file_name"))[:200], picture)
        wrong = next((box for box in boxes if isinstance(box, str)), None)
        return self.pictures.record(picture, wrong or [box for box in boxes if isinstance(box, Box)], self.split)


def _objects(items: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """The objects among `items` whose numbers can be looked up."""
    keys = ("id", "image_id", "category_id")
    return (item for item in items if isinstance(item, dict) and all(_is_key(item.get(key)) for key in keys))


def _is_key(value: Any) -> bool:
    return value is None or isinstance(value, int | str)


def _categories(document: Mapping[str, Any]) -> dict[Any, str]:
    named = (item for item in _objects(document["categories"]) if item.get("name") not in (None, ""))
    return {item.get("id"): str(item["name"]) for item in named}


def _near(path: Path, root: Path) -> list[Path]:
    """Where the pictures of a file may be: beside it, and in folders whose names its own name has: train2017."""
    folders = [item for place in (root, root / "images") for item in _names.visible(place)[:_MOST] if item.is_dir()]
    named = [folder for folder in folders if folder.name.casefold() in path.stem.casefold()]
    return [*named, path.parent, root / "images"]
