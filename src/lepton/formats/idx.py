"""IDX files as MNIST and Fashion-MNIST have them: a file of images and one of labels for each split.

Y. LeCun, C. Cortes, C. Burges: The MNIST database. Shapes: N records, H height, W width, C channels.
"""

import gzip
import math
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from lepton.core.errors import UserError
from lepton.core.types import Reading, Record
from lepton.formats import _names, _png

MODALITY = "image"

_KINDS = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IMAGES = re.compile(r"(?P<part>.*?)[-_.]?images?[-_.]idx[34][-_.]ubyte(\.gz)?", re.IGNORECASE)
_PLACES = ("", "raw", "MNIST/raw", "FashionMNIST/raw", "data")
# Deflate packs at most 1,032 bytes into one: a header that asks for more is wrong.
_MOST = 1040


@dataclass(frozen=True, slots=True)
class Pair:
    """A file of images and the file of their labels; `part` is what their names begin with (train, t10k)."""

    images: Path
    labels: Path
    part: str

    @property
    def split(self) -> str | None:
        """The split that the name carries."""
        return "test" if "t10k" in self.part.casefold() else _names.split_of(self.part)


def sniff(path: Path) -> bool:
    """Whether `path` is an IDX file of images, or a folder with some."""
    return bool(_IMAGES.fullmatch(path.name)) if path.is_file() else bool(_image_files(path))


def read(path: Path) -> Reading:
    """Read images as PNG bytes, losslessly, with their labels as text; ids are `t10k-images-idx3-ubyte.gz#1234`.

    With `train-*` and `t10k-*` both there they are the splits train and test; a pair alone has no split.
    Raises UserError for files that are cut off, hold something else, or do not fit together.
    """
    pairs, notes = _pairs(path)
    root = path.parent if path.is_file() else path
    several = len(pairs) > 1
    records = [record for pair in pairs for record in _records(pair, root, split=pair.split if several else None)]
    return Reading(records, (), notes)


def _image_files(folder: Path) -> list[Path]:
    for place in _PLACES:
        found = [item for item in _names.visible(folder / place) if _IMAGES.fullmatch(item.name) and item.is_file()]
        if found:
            return found
    return []


def _pairs(path: Path) -> tuple[list[Pair], list[str]]:
    files = [path] if path.is_file() else _image_files(path)
    if not files:
        raise UserError(f"{path} holds no IDX images", rule="Names are like train-images-idx3-ubyte.gz")
    pairs: dict[str, Pair] = {}
    notes = []
    for file in files:
        pair = _pair(file)
        if pair.part in pairs:
            notes.append(f"{file.name} was left aside for {pairs[pair.part].images.name}")
        pairs.setdefault(pair.part, pair)
    splits = [pair.split for pair in pairs.values()]
    if len(pairs) > 1 and (None in splits or len(set(splits)) < len(splits)):
        raise _names.unclear(path, files)
    return sorted(pairs.values(), key=lambda pair: _names.SPLITS.index(pair.split or "train")), notes


def _pair(images: Path) -> Pair:
    found = _IMAGES.fullmatch(images.name)
    if found is None:
        raise UserError(f"{images} is not named as IDX images are", rule="Names are like train-images-idx3-ubyte.gz")
    wanted = re.sub(r"images?([-_.])idx[34]", r"labels?\1idx1", re.escape(_plain(images.name)).replace("\\-", "-"))
    wanted = wanted.replace("\\.idx", ".idx")
    rest = [item for item in _names.visible(images.parent) if re.fullmatch(wanted, _plain(item.name), re.IGNORECASE)]
    if not rest:
        remedy = f"Put {_plain(images.name).replace('images', 'labels').replace('idx3', 'idx1')}[.gz] beside it"
        raise UserError(f"{images} has no file of labels beside it", remedy=remedy)
    return Pair(images, rest[0], found["part"])


def _plain(name: str) -> str:
    return name[:-3] if name.casefold().endswith(".gz") else name


def _records(pair: Pair, root: Path, *, split: str | None) -> list[Record]:
    images, labels = _array(pair.images), _array(pair.labels)
    if not _png.drawable(images.shape) or images.dtype != np.uint8:
        raise UserError(
            f"{pair.images} holds no images",
            rule="Images are bytes of shape (N, H, W) or (N, H, W, 1, 3 or 4)",
            received=f"{images.dtype} {images.shape}",
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise UserError(
            f"{pair.labels.name} does not fit {pair.images.name}",
            rule="There is one whole number for every image",
            received=f"labels {labels.dtype} {labels.shape}, images {images.shape}",
        )
    name = pair.images.relative_to(root).as_posix()
    return [
        Record(f"{name}#{at}", _png.encode(image), str(label), split)
        for at, (image, label) in enumerate(zip(images, labels.tolist(), strict=True))
    ]


def _array(path: Path) -> np.ndarray:
    """The array of an IDX file; UserError when it is none or is cut off."""
    try:
        with gzip.open(path) if path.suffix.casefold() == ".gz" else path.open("rb") as stream:
            return _parse(stream, path, path.stat().st_size)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be unpacked", rule=str(error), remedy="Fetch the file again") from error


def _parse(stream: IO[bytes], path: Path, size: int) -> np.ndarray:
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _KINDS or not 1 <= start[3] <= 4:
        rule = "It begins with two zeros, the kind of number and how many dimensions there are"
        raise UserError(f"{path} is no IDX file", rule=rule, received=start.hex(" ") or "an empty file")
    dimensions = stream.read(4 * start[3])
    if len(dimensions) < 4 * start[3]:
        raise UserError(f"{path} is cut off inside its header", remedy="Fetch the file again")
    shape = struct.unpack(f">{start[3]}I", dimensions)
    kind = np.dtype(_KINDS[start[2]])
    wanted = math.prod(shape) * kind.itemsize
    if not wanted or wanted > size * _MOST:
        received = f"{shape}, {wanted:,} bytes, in a file of {size:,} bytes"
        raise UserError(f"{path} has a wrong header", rule="Its dimensions must fit the file", received=received)
    data = stream.read(wanted + 1)
    if len(data) != wanted:
        received = f"{len(data):,} bytes, {wanted:,} wanted" if len(data) < wanted else "more bytes than that"
        raise UserError(f"{path} does not hold what its header says", rule=f"Shape {shape}", received=received)
    return np.frombuffer(data, kind).reshape(shape).astype(kind.newbyteorder("="))
