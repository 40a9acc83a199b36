"""Boxes in the layout of YOLO: a text file for each picture, in `labels` where that is in `images`, and a data.yaml.

A line is a class by its number, and the centre, width and height of a box as shares of the picture's:
https://docs.ultralytics.com/datasets/detect.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats import _boxes, _names, _pictures, _text
from lepton.formats._media import IMAGE, walk
from lepton.formats._text import some

MODALITY = "image"
LABELS = "boxes"

_RULE = "data.yaml names the classes (names) and the folders of pictures (train, val, test)"
_KEYS = {"train": "train", "val": "validation", "test": "test"}
_FOLDER_OF = {"train": "train", "validation": "val", "test": "test", None: "all"}
_OUTLINES = "outlines left aside: the boxes around them were read"
_BACKGROUND = "pictures without a file of labels are read as holding nothing"
_CLASSES = "classes.txt"
_LARGEST = 1 << 20


def sniff(path: Path) -> bool:
    """Whether `path` is a folder with a data.yaml of classes and splits, or with classes.txt beside labels."""
    return path.is_dir() and (bool(_settings(path)) or _labelled(path))


def read(path: Path) -> Reading:
    """Read one record a picture, named by its place: `images/train/0001.jpg`; of pictures only the size is read.

    The keys of data.yaml give the splits, but for a lone `train` whose folder does not say so; without it all pictures
    beside `classes.txt` are read. The labels of a picture stand beside it or in `labels` in place of `images`; where
    they do not it holds nothing. A line that is none, or of a class without a name, makes its picture a bad record. Of
    outlines the box around them is read. Folders outside of `path` are not entered. Raises UserError for what is no
    such folder.
    """
    path = _boxes.root(path)
    found = _settings(path)
    if len(found) > 1:
        raise _names.unclear(path, list(found))
    if not found and not _labelled(path):
        raise UserError(f"{path} is no data set in the layout of YOLO", rule=_RULE)
    names, parts, notes = _stated(path, *found.popitem()) if found else _unstated(path)
    one = _Pass(_boxes.Pictures(path), names)
    made = (one.record(picture, split) for split, pictures in parts.items() for picture in pictures)
    return _boxes.reading(made, one.counted, notes)


def write(records: Iterable[Record], place: Path) -> None:
    """Write `images/train`, `labels/train` and so on, and `data.yaml`; without splits `images/all`, named as train.

    Classes are numbered from 0 in the order in which they occur. Raises UserError for a record that is no picture with
    boxes.
    """
    copies = _pictures.Copies()
    numbers: dict[str, int] = {}
    folders: set[str] = set()
    for record in records:
        boxes = _pictures.boxes_of(record, "YOLO")
        folder = _FOLDER_OF[record.split]
        folders.add(folder)
        picture = copies.add(record, place / "images" / folder)
        lines = _lines(picture, boxes, numbers)
        files.write_text(place / "labels" / folder / f"{picture.stem}.txt", "".join(lines))
    files.write_text(place / "data.yaml", _yaml_text(folders, list(numbers)))


@dataclass(slots=True)
class _Pass:
    """One pass over the pictures, and what was counted on the way."""

    pictures: _boxes.Pictures
    names: Mapping[int, str]
    counted: Counter[str] = field(default_factory=Counter)

    def record(self, picture: Path, split: str | None) -> Record | BadRecord:
        """The record of one picture."""
        lines = self._written(picture)
        if not lines:
            return self.pictures.record(picture, [], split)
        size = _boxes.size_of(picture)
        made = [size] if isinstance(size, str) else [self._box(line, size) for line in lines]
        wrong = next((item for item in made if isinstance(item, str)), None)
        return self.pictures.record(picture, wrong or [item for item in made if isinstance(item, Box)], split)

    def _written(self, picture: Path) -> list[str]:
        path = _labels_of(picture, self.pictures.root)
        if path is None:
            self.counted[_BACKGROUND] += 1
            return []
        text, _ = _text.decode(_text.read_bytes(path))
        return [line for line in _text.lines(text) if line.strip()]

    def _box(self, line: str, size: tuple[int, int]) -> Box | str:
        first, *rest = line.split()
        shares = _boxes.numbers(rest)
        number = _boxes.number(first)
        if number is None or shares is None or len(shares) < 4 or len(shares) % 2:
            return f"its labels have the line {line.strip()[:60]!r}, which is no class with four numbers"
        name = self.names.get(int(number))
        if name is None or number != int(number):
            return f"its labels have the class {first[:20]}, which has no name"
        if len(shares) == 4:
            return _framed(shares, size, name)
        self.counted[_OUTLINES] += 1
        return _boxes.extent([x * size[0] for x in shares[::2]], [y * size[1] for y in shares[1::2]], name)


def _framed(shares: Sequence[float], size: tuple[int, int], name: str) -> Box:
    (x, y, width, height), (wide, high) = shares, size
    return _boxes.rounded(
        ((x - width / 2) * wide, (y - height / 2) * high, (x + width / 2) * wide, (y + height / 2) * high), name
    )


def _labels_of(picture: Path, root: Path) -> Path | None:
    """The file of a picture's labels: in `labels` in place of the last `images` on its way, or beside it."""
    parts = list(picture.relative_to(root).parts)
    name = f"{picture.stem}.txt"
    at = max((at for at, part in enumerate(parts[:-1]) if part == "images"), default=None)
    swapped = [] if at is None else [root.joinpath(*parts[:at], "labels", *parts[at + 1 : -1], name)]
    return next(filter(os.path.isfile, [*swapped, picture.with_name(name)]), None)


Parts = dict[str | None, list[Path]]
"""The pictures of each split."""


def _stated(root: Path, file: Path, settings: Mapping[str, Any]) -> tuple[dict[int, str], Parts, list[str]]:
    """Names, pictures and remarks of a data.yaml."""
    parts: Parts = {}
    missing = []
    base = next(iter(_listed(settings.get("path"))), "")
    for key, split in _KEYS.items():
        for place in _listed(settings.get(key)):
            pictures = _place(root, file, (base, place))
            missing += [] if pictures else [f"{key}: {place[:80]}"]
            parts.setdefault(split, []).extend(pictures)
    if not any(parts.values()):
        raise UserError(f"{file} names no folder that holds pictures", rule=_RULE, received="; ".join(missing))
    named = [word for place in _listed(settings.get("train")) for word in place.split("/") if _names.split_of(word)]
    if set(parts) == {"train"} and not named:
        parts = {None: parts["train"]}
    return _named(file, settings["names"]), parts, [f"{file.name}: nothing at {some(missing)}"] if missing else []


def _unstated(root: Path) -> tuple[dict[int, str], Parts, list[str]]:
    """Names and pictures where there is no data.yaml."""
    text, notes = _text.load(next(_class_files(root)))
    names = dict(enumerate(line.strip() for line in _text.lines(text) if line.strip()))
    parts: Parts = {}
    for place in walk(root, IMAGE).files:
        split = next((word for part in reversed(place[:-1]) if (word := _names.split_word(part))), None)
        parts.setdefault(split, []).append(root.joinpath(*place))
    return names, parts, notes


def _place(root: Path, file: Path, named: tuple[str, str]) -> list[Path]:
    """The pictures of a folder, or of a list of names, in one of the places that a data.yaml may mean, inside `root`.

    Such files often lead out of their folder by one `../` too many, or to where it stood on another machine.
    """
    base, name = (part.strip().replace("\\", "/") for part in named)
    bare = name.removeprefix("./")
    while bare.startswith("../"):
        bare = bare[3:]
    tails = ["/".join(bare.strip("/").split("/")[at:]) for at in range(bare.count("/") + 1)]
    for path in [file.parent / base / name, file.parent / name, *(root / tail for tail in tails if tail)]:
        inside = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root))
        found = list(_pictures_at(root, Path(os.path.normpath(path)))) if inside else []
        if found:
            return found
    return []


def _pictures_at(root: Path, path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (path.joinpath(*parts) for parts in walk(path, IMAGE).files)
    elif path.suffix == ".txt" and os.path.isfile(path):
        pictures = _boxes.Pictures(root)
        text, _ = _text.decode(_text.read_bytes(path))
        found = (pictures.find(line.strip().removeprefix("./"), [path.parent]) for line in _text.lines(text))
        yield from (item for item in found if isinstance(item, Path))


def _named(file: Path, names: Any) -> dict[int, str]:
    found = names if isinstance(names, dict) else dict(enumerate(names))
    # Only texts: of lists within lists, which aliases make endless, not even the text is made.
    if not all(isinstance(name, str) for name in found.values()):
        raise UserError(
            f"{file} names its classes wrongly", rule="names is a list of names, or a table of them by number"
        )
    try:
        return {int(number): name for number, name in found.items()}
    except ValueError as error:
        raise UserError(f"{file} numbers its classes wrongly", rule=str(error)) from error


def _listed(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item]


def _settings(folder: Path) -> dict[Path, Mapping[str, Any]]:
    """Each YAML file of the folder that names classes and splits, with what it says."""
    found = {item: _yaml(item) for item in _names.visible(folder) if item.suffix.casefold() in (".yaml", ".yml")}
    return {
        item: settings
        for item, settings in found.items()
        if isinstance(settings.get("names"), list | dict) and {*_KEYS} & settings.keys()
    }


def _yaml(path: Path) -> Mapping[str, Any]:
    """The mapping in a YAML file, all its values texts, so that a class `no` stays one; {} for anything else."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size < _LARGEST else ""
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but texts, lists and mappings
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _yaml_text(folders: Collection[str], names: Sequence[str]) -> str:
    import yaml

    stated: dict[str, Any] = {split: f"images/{split}" for split in _KEYS if split in folders}
    if "all" in folders:
        stated["train"] = ["images/train", "images/all"] if "train" in folders else "images/all"
    table = {"path": ".", **stated, "names": dict(enumerate(names))}
    return str(yaml.safe_dump(table, sort_keys=False, allow_unicode=True))


def _class_files(folder: Path) -> Iterator[Path]:
    return (path for path in (folder / _CLASSES, folder / "labels" / _CLASSES) if path.is_file())


def _labelled(folder: Path) -> bool:
    """Whether there is classes.txt and, in `labels` or beside pictures, a line of labels."""
    if next(_class_files(folder), None) is None:
        return False
    places = (folder / "labels", *_names.visible(folder / "labels")[:20], folder)
    texts = (item for place in places for item in _names.visible(place)[:200] if item.suffix == ".txt")
    return any(_is_line(_text.head(item)) for item in texts if item.name != _CLASSES)


def _is_line(text: str) -> bool:
    first = text.partition("\n")[0].split()
    return len(first) >= 5 and first[0].isdigit() and _boxes.numbers(first) is not None


def _lines(picture: Path, boxes: Sequence[Box], numbers: dict[str, int]) -> Iterator[str]:
    """The lines of a picture's labels; `numbers` is filled in place."""
    wide, high = _pictures.size_of(picture)
    for box in boxes:
        number = numbers.setdefault(box.label, len(numbers))
        shares = (
            (box.x1 + box.x2) / 2 / wide,
            (box.y1 + box.y2) / 2 / high,
            (box.x2 - box.x1) / wide,
            (box.y2 - box.y1) / high,
        )
        yield f"{number} {' '.join(map(repr, shares))}\n"
