"""Boxes in Pascal VOC: an XML file for each picture, and the splits as lists of names.

M. Everingham et al.: The Pascal Visual Object Classes Challenge, 2010. Coordinates are taken as they stand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats import _boxes, _names, _pictures, _text, _xml

MODALITY = "image"
LABELS = "boxes"

_LISTS = {"train": "train", "val": "validation", "test": "test", "trainval": "train"}
_LIST_OF = {"train": "train", "validation": "val", "test": "test"}
_FOLDERS = ("JPEGImages", "images", "Images", "imgs", ".")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_LOOKED_AT = 2000
_DIFFICULT = "boxes marked as difficult were read like the others"


def sniff(path: Path) -> bool:
    """Whether `path` is a folder with annotations of VOC in it or below."""
    return any(_suits(item) for item in _first(path))


def read(path: Path) -> Reading:
    """Read one record a picture, named by its place: `JPEGImages/0001.jpg`; pictures are not opened.

    Annotations are the XML files anywhere below `path`; a picture is the one that its file names, else the one of its
    stem. The lists in `ImageSets/Main` give the splits, else folders of the names of splits do. A file that cannot be
    read, has a document type, or has a box that is none is a bad record, and so is one whose picture is not there
    or outside of `path`. Raises UserError where there is no annotation.
    """
    path = _boxes.root(path)
    found = [item for item in _all(path) if _suits(item)]
    if not found:
        raise UserError(f"{path} holds no annotations of Pascal VOC", rule="They are <annotation> in files *.xml")
    one = _Pass(path, _boxes.Pictures(path), _lists(found))
    reading = _boxes.reading((one.record(item) for item in found), one.counted)
    unlisted = sum(record.split is None for record in reading.records) if one.splits else 0
    notes = [f"{_text.several(unlisted, 'picture')} in no list of {'/'.join(one.lists)}"] if unlisted else []
    return Reading(reading.records, reading.bad, [*reading.notes, *notes])


def write(records: Iterable[Record], place: Path) -> None:
    """Write `Annotations`, `JPEGImages` and, where there are splits, `ImageSets/Main` into the folder `place`.

    Raises UserError for a record that is no picture with boxes, and for a class that XML cannot say.
    """
    copies = _pictures.Copies()
    lists: dict[str, list[str]] = {}
    for record in records:
        boxes = _pictures.boxes_of(record, "Pascal VOC")
        picture = copies.add(record, place / "JPEGImages")
        _save(_annotation(picture, boxes), place / "Annotations" / f"{picture.stem}.xml")
        if record.split:
            lists.setdefault(_LIST_OF[record.split], []).append(picture.stem)
    for name, stems in lists.items():
        files.write_text(place / "ImageSets" / "Main" / f"{name}.txt", "\n".join(stems) + "\n")


@dataclass(slots=True)
class _Pass:
    """One pass over the annotations, and what was counted on the way."""

    root: Path
    pictures: _boxes.Pictures
    lists: Mapping[str, Sequence[str]]
    splits: Mapping[str, str] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.splits = {stem: _LISTS[name] for name in reversed(list(self.lists)) for stem in self.lists[name]}

    def record(self, path: Path) -> Record | BadRecord:
        """The record of one annotation."""
        try:
            root = _xml.load(path)
        except UserError as error:
            return BadRecord(path.relative_to(self.root).as_posix(), error.message.rstrip("."))
        picture = self._picture(path, _xml.text(root, "filename"))
        if isinstance(picture, str):
            return BadRecord(path.relative_to(self.root).as_posix(), picture)
        split = self.splits.get(path.stem) if self.splits else _folder_split(path.relative_to(self.root))
        made = [self._box(item) for item in root.findall("object")]
        wrong = next((item for item in made if isinstance(item, str)), None)
        return self.pictures.record(picture, wrong or [item for item in made if isinstance(item, Box)], split)

    def _picture(self, path: Path, name: str) -> Path | str:
        above = path.parent.parent if path.parent != self.root else path.parent
        near = [path.parent, *(place / folder for place in (above, self.root) for folder in _FOLDERS)]
        near += [place / folder / path.parent.name for place in (above.parent, self.root) for folder in _FOLDERS[:-1]]
        inside = [folder for folder in dict.fromkeys(near) if folder.is_relative_to(self.root)]
        found = self.pictures.find(name, inside)
        return (self.pictures.by_stem(path.stem, inside) or found) if isinstance(found, str) else found

    def _box(self, item: Element) -> Box | str:
        label, frame = _xml.text(item, "name"), item.find("bndbox")
        edges = _boxes.numbers(_xml.text(frame, name) for name in _EDGES)
        if not label:
            return "has an object without a name"
        if edges is None:
            return f"has a box of {label[:40]!r} without four numbers"
        self.counted[_DIFFICULT] += _xml.text(item, "difficult") == "1"
        return _boxes.rounded(edges, label)


def _suits(path: Path) -> bool:
    head = _text.head(path)
    return "<annotation>" in head or "<annotation " in head


def _all(folder: Path) -> list[Path]:
    return sorted(_xmls(folder)) if folder.is_dir() else []


def _first(folder: Path) -> Iterator[Path]:
    """One annotation of each folder, in the places where they usually stand."""
    if not folder.is_dir():
        return
    places = [folder, *(item for item in _names.visible(folder) if item.is_dir())]
    below = [inner for place in places[1:_LOOKED_AT] for inner in _names.visible(place)[:50] if inner.is_dir()]
    for place in [*places, *below][:_LOOKED_AT]:
        first = next((item for item in _names.visible(place) if _is_xml(item)), None)
        if first:
            yield first


def _xmls(folder: Path) -> Iterator[Path]:
    return (item for item in folder.rglob("*") if _is_xml(item) and not item.name.startswith("."))


def _is_xml(path: Path) -> bool:
    return path.suffix.casefold() == ".xml"


def _lists(annotations: Sequence[Path]) -> dict[str, list[str]]:
    """The stems in each list of `ImageSets/Main` beside the annotations' folders, train before trainval."""
    places = dict.fromkeys(path.parent.parent / "ImageSets" / "Main" for path in annotations)
    found: dict[str, list[str]] = {}
    for name in _LISTS:
        for path in (place / f"{name}.txt" for place in places):
            if path.is_file():
                text, _ = _text.decode(_text.read_bytes(path))
                found.setdefault(name, []).extend(line.split()[0] for line in _text.lines(text) if line.strip())
    return found


def _folder_split(path: Path) -> str | None:
    return next((word for part in reversed(path.parts[:-1]) if (word := _names.split_word(part))), None)


def _annotation(picture: Path, boxes: Sequence[Box]) -> Element:
    size = _pictures.size_of(picture)
    root = Element("annotation")
    SubElement(root, "folder").text = picture.parent.name
    SubElement(root, "filename").text = _xml.checked(picture.name)
    frame = SubElement(root, "size")
    for name, length in zip(("width", "height", "depth"), (*size, 3), strict=True):
        SubElement(frame, name).text = str(length)
    for box in boxes:
        item = SubElement(root, "object")
        SubElement(item, "name").text = _xml.checked(box.label)
        edges = SubElement(item, "bndbox")
        for name, edge in zip(_EDGES, box[:4], strict=True):
            SubElement(edges, name).text = str(_pictures.plain(edge))
    return root


def _save(root: Element, path: Path) -> None:
    indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
