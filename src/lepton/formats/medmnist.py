"""Arrays of images in one .npz file, in the layout of MedMNIST (or of Keras' mnist.npz).

J. Yang et al.: MedMNIST v2, Scientific Data, 2023. Shapes: N records, H height, W width, C channels.
"""

import tokenize
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from lepton.core.errors import UserError
from lepton.core.types import Reading, Record
from lepton.formats import _names, _png

MODALITY = "image"

_PARTS = (
    ("train", "train_images", "train_labels"),
    ("validation", "val_images", "val_labels"),
    ("test", "test_images", "test_labels"),
    ("train", "x_train", "y_train"),
    ("test", "x_test", "y_test"),
)
_LARGEST = 1 << 36


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with exactly one."""
    return _suits(path) if path.is_file() else len(_names.data_files(path, _suits)) == 1


def read(path: Path) -> Reading:
    """Read `train_images`, `train_labels` and so on; ids are `pneumoniamnist.npz#train/17`.

    Images are uint8 (N, H, W) or (N, H, W, C) and become PNG bytes, losslessly; labels are whole numbers (N,) or
    (N, 1) and become text. Nothing is unpickled. Raises UserError for other files.
    """
    file = path if path.is_file() else _only(path)
    name = file.relative_to(path.parent if path.is_file() else path).as_posix()
    arrays = _arrays(file)
    parts = [part for part in _PARTS if part[1] in arrays and part[2] in arrays]
    if not parts:
        raise _wrong(file, f"it holds {', '.join(arrays) or 'nothing'}")
    records = [
        record
        for split, images, labels in parts
        for record in _records(f"{name}#{split}", arrays[images], _classes(file, arrays[labels], arrays[images]))
    ]
    given = len(parts) > 1
    return Reading(records if given else [replace(record, split=None) for record in records])


def _suits(path: Path) -> bool:
    if path.suffix.casefold() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return any({images, labels} <= names for _, images, labels in _PARTS)


def _only(folder: Path) -> Path:
    files = _names.data_files(folder, _suits)
    if len(files) != 1:
        raise UserError(f"{folder} holds {len(files)} .npz files of images", remedy="Name the file")
    return files[0]


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that are wanted, each checked by its header before it is unpacked."""
    wanted = {name for part in _PARTS for name in part[1:]}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            return {key: _array(archive, members[key]) for key in sorted(wanted & members.keys())}
    except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _wrong(path, str(error)) from error
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError) as error:
        raise _wrong(path, str(error)) from error


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as stream:
        shape, kind = _header(stream)
    wanted = int(np.prod(shape, dtype=object)) * kind.itemsize if shape else kind.itemsize
    held = archive.getinfo(member).file_size
    if kind.hasobject or wanted > min(held, _LARGEST):
        raise ValueError(f"{member} says {kind} {shape} and holds {held:,} bytes")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = reader(stream)
    return shape, kind


def _classes(path: Path, labels: np.ndarray, images: np.ndarray) -> list[int]:
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.dtype.kind not in "iu":
        raise _wrong(path, f"labels {labels.dtype} {labels.shape}")
    if images.dtype != np.uint8 or not _png.drawable(images.shape) or len(images) != len(flat):
        raise _wrong(path, f"images {images.dtype} {images.shape}, labels {labels.shape}")
    return [int(label) for label in flat]


def _records(name: str, images: np.ndarray, classes: list[int]) -> list[Record]:
    split = name.rpartition("#")[2]
    return [
        Record(f"{name}/{at}", _png.encode(image), str(label), split)
        for at, (image, label) in enumerate(zip(images, classes, strict=True))
    ]


def _wrong(path: Path, received: str) -> UserError:
    return UserError(
        f"{path} is no .npz file of images and labels",
        rule="It holds train_images, uint8 of shape (N, H, W) or (N, H, W, 1, 3 or 4), train_labels with one whole "
        "number for every image, and so on for val and test",
        received=received,
    )
