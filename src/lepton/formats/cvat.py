"""Boxes or classes in CVAT's XML for images: one file with all pictures, each with its shapes and tags.

https://docs.cvat.ai/docs/manual/advanced/xml_format.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats import _boxes, _names, _pictures, _text, _xml

MODALITY = "image"
LABELS = "boxes"

_RULE = 'It is <annotations> with an <image name="..."> for each picture, as CVAT exports it "for images"'
_FILE = "annotations.xml"
_EDGES = ("xtl", "ytl", "xbr", "ybr")
_DRAWN = ("box", "polygon", "ellipse")
_OUTLINES = "outlines left aside: the boxes around them were read"
_OTHERS = "points, lines and masks left out"


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some."""
    return _suits(path) if path.is_file() else bool(_names.data_files(path, _suits))


def read(path: Path) -> Reading:
    """Read one record a picture, named by its place: `images/0001.jpg`; pictures are not opened.

    Labels are boxes; where a file has nothing drawn but tags, its labels are classes, and a picture with no tag
    or several is a bad record. A subset of the name of a split gives the split. Pictures are looked for beside the file
    and in `images`. One with a box that is none is a bad record, and so is one that is not there or outside of `path`.
    Raises UserError for what is no such file.
    """
    path = _boxes.root(path)
    found = [path] if path.is_file() else _names.data_files(path, _suits)
    if not found:
        raise UserError(f"{path} holds no annotations of CVAT", rule=_RULE)
    one = _Pass(_boxes.Pictures(path.parent if path.is_file() else path))
    made = [item for file in found for item in one.records(file)]
    return _boxes.reading(made, one.counted)


def write(records: Iterable[Record], place: Path) -> None:
    """Write `annotations.xml` and the folder `images`; splits are subsets, and classes tags.

    Raises UserError for a record that is no picture with boxes or a class, and for a class that XML cannot say.
    """
    copies = _pictures.Copies()
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    for number, record in enumerate(records):
        boxes = [] if isinstance(record.label, str) else _pictures.boxes_of(record, "CVAT")
        picture = copies.add(record, place / "images" / (record.split or ""))
        item = SubElement(root, "image", {**_about(picture, place, number), **_subset(record)})
        for box in boxes:
            edges = {name: str(_pictures.plain(edge)) for name, edge in zip(_EDGES, box[:4], strict=True)}
            SubElement(item, "box", {"label": _xml.checked(box.label), "source": "manual", "occluded": "0", **edges})
        if isinstance(record.label, str):
            SubElement(item, "tag", label=_xml.checked(record.label), source="manual")
    indent(root)
    ElementTree(root).write(place / _FILE, encoding="utf-8", xml_declaration=True)


@dataclass(slots=True)
class _Pass:
    """One pass over the files, and what was counted on the way."""

    pictures: _boxes.Pictures
    counted: Counter[str] = field(default_factory=Counter)

    def records(self, path: Path) -> Iterator[Record | BadRecord]:
        """A record for each picture of a file."""
        try:
            root = _xml.load(path)
        except UserError as error:
            raise UserError(f"{path} cannot be read: {error.what}", rule=error.rule or _RULE) from error
        items = root.findall("image")
        tagged = not any(shape.tag in _DRAWN for item in items for shape in item)
        tagged = tagged and any(shape.tag == "tag" for item in items for shape in item)
        near = [path.parent / "images", path.parent]
        for item in items:
            picture = self.pictures.find(item.get("name", ""), near)
            if isinstance(picture, str):
                yield BadRecord(item.get("name", "")[:200] or path.name, picture)
            else:
                yield self._record(picture, item, tagged=tagged)

    def _record(self, picture: Path, item: Element, *, tagged: bool) -> Record | BadRecord:
        split = _names.split_word(item.get("subset", ""))
        if tagged:
            tags = [shape.get("label", "") for shape in item if shape.tag == "tag"]
            wrong = "" if len(tags) == 1 and tags[0] else f"has {_text.several(len(tags), 'tag')}, and a class is one"
            made = self.pictures.record(picture, wrong or (), split)
            return replace(made, label=tags[0]) if isinstance(made, Record) else made
        boxes = [box for shape in item if (box := self._shape(shape)) is not None]
        reason = next((box for box in boxes if isinstance(box, str)), None)
        return self.pictures.record(picture, reason or [box for box in boxes if isinstance(box, Box)], split)

    def _shape(self, shape: Element) -> Box | str | None:
        """What is drawn, as a box; None for what is no shape that has one."""
        if shape.tag not in _DRAWN:
            self.counted[_OTHERS] += shape.tag != "tag"
            return None
        label = shape.get("label")
        edges = _READ[shape.tag](shape)
        if not label:
            return f"has a {shape.tag} without a label"
        if not edges:
            return f"has a {shape.tag} of {label[:40]!r} without its numbers"
        self.counted[_OUTLINES] += shape.tag != "box"
        turned = _boxes.number(shape.get("rotation", "0"))
        xs, ys = _boxes.turned(*edges, turned) if turned else edges
        if len(xs) == 2:
            return _boxes.rounded((xs[0], ys[0], xs[1], ys[1]), label)
        return _boxes.extent(xs, ys, label)


def _box(shape: Element) -> _boxes.Points | None:
    edges = _boxes.numbers(shape.get(name) for name in _EDGES)
    return None if edges is None else ([edges[0], edges[2]], [edges[1], edges[3]])


def _polygon(shape: Element) -> _boxes.Points | None:
    pairs = [point.split(",") for point in shape.get("points", "").split(";")]
    found = _boxes.numbers(item for pair in pairs for item in pair)
    return (found[::2], found[1::2]) if found and all(len(pair) == 2 for pair in pairs) else None


def _ellipse(shape: Element) -> _boxes.Points | None:
    found = _boxes.numbers(shape.get(name) for name in ("cx", "cy", "rx", "ry"))
    if found is None:
        return None
    x, y, wide, high = found
    return [x - wide, x + wide], [y - high, y + high]


_READ = {"box": _box, "polygon": _polygon, "ellipse": _ellipse}


def _suits(path: Path) -> bool:
    if path.suffix.casefold() != ".xml":
        return False
    head = _text.head(path)
    return "<annotations>" in head and ("<image " in head or "<meta>" in head)


def _about(picture: Path, place: Path, number: int) -> dict[str, str]:
    width, height = _pictures.size_of(picture)
    name = picture.relative_to(place / "images").as_posix()
    return {"id": str(number), "name": _xml.checked(name), "width": str(width), "height": str(height)}


def _subset(record: Record) -> dict[str, str]:
    return {"subset": record.split} if record.split else {}
