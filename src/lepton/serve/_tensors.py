"""Tensors of the Open Inference Protocol: their datatypes, and their elements as JSON lists and as bytes.

Bytes are little-endian, row by row; of BYTES each element is its length (4 bytes) and then itself.
"""

import array
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np

from lepton.core.errors import shorten
from lepton.serve._problems import Problem

BYTES = "BYTES"
DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "BOOL": np.dtype(np.bool_),
        **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
        **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
        **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    }
)
"""The datatypes of numbers. BF16, which numpy does not know, is not among them."""

_NAMES = {dtype.name: name for name, dtype in DTYPES.items()}
# A list of Python numbers becomes bytes, or an array of the standard library's, sooner than one of numpy's.
_CONVERTED: Mapping[str, np.dtype[Any]] = {"BOOL": np.dtype(np.int8), "FP16": np.dtype(np.float64)}
_STORED: Mapping[str, np.dtype[Any]] = {**DTYPES, **_CONVERTED}
_PREFIX = struct.Struct("<I")


@dataclass(slots=True)
class Tensor:
    """A tensor that came or goes. `data` is its elements in a list, perhaps of lists, or their bytes."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Sequence[Any] | bytes | memoryview


def datatype(dtype: str) -> str:
    """What the protocol calls numpy's type `dtype`."""
    return _NAMES[dtype]


def numbers(tensor: Tensor) -> np.ndarray:
    """The array that a tensor of numbers is; it may be read only.

    Raises Problem 400 where the elements are too few or too many for the shape, of another type than the tensor says,
    out of its range or not finite.
    """
    data = tensor.data
    found = _from_bytes(tensor, data) if isinstance(data, bytes | memoryview) else _from_list(tensor, data)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise wrong(tensor, "has elements that are no finite numbers", remedy="Leave out NaN and infinity")
    return found.reshape(tensor.shape)


def strings(tensor: Tensor) -> list[str | bytes]:
    """The elements of a tensor of BYTES, in one list.

    Raises Problem 400 where there are too few or too many for the shape, or some are no strings.
    """
    count = math.prod(tensor.shape)
    if isinstance(tensor.data, bytes | memoryview):
        return list(_unpacked(tensor, memoryview(tensor.data), count))
    found = list(_flat(tensor, tensor.data))
    if not all(isinstance(item, str | bytes) for item in found):
        raise wrong(tensor, "has an element that is no string", remedy="Send media in base64, and text as it is")
    return found


def packed(items: Sequence[str | bytes]) -> bytes:
    """The bytes of a tensor of BYTES with these elements; text becomes UTF-8."""
    plain = [item.encode() if isinstance(item, str) else item for item in items]
    return b"".join(part for item in plain for part in (_PREFIX.pack(len(item)), item))


def as_bytes(tensor: Tensor) -> bytes:
    """The bytes of a tensor whose elements are in one list."""
    if isinstance(tensor.data, bytes | memoryview):
        return bytes(tensor.data)
    items: Sequence[Any] = tensor.data
    return packed(items) if tensor.datatype == BYTES else np.array(items, DTYPES[tensor.datatype]).tobytes()


def wrong(tensor: Tensor, what: str, *, rule: str = "", received: object = None, remedy: str = "") -> Problem:
    """The problem (400) that a tensor is."""
    parts = {"rule": rule, "received": "" if received is None else shorten(str(received)), "remedy": remedy}
    found = Problem(400, f"The tensor {shorten(tensor.name, 80)} {what}")
    found.more.update({name: text for name, text in parts.items() if text})
    return found


def _from_bytes(tensor: Tensor, data: bytes | memoryview) -> np.ndarray:
    dtype = DTYPES[tensor.datatype]
    wanted = math.prod(tensor.shape) * dtype.itemsize
    if len(data) != wanted:
        raise wrong(tensor, "has too few or too many bytes", rule=f"It has {wanted:,}", received=f"{len(data):,}")
    if dtype.kind == "b" and max(data, default=0) > 1:
        raise wrong(tensor, "has a byte that is no truth value", rule="They are 0 or 1", received=max(data))
    found = np.frombuffer(data, dtype)
    return found if found.flags.aligned else found.copy()  # behind JSON of any length it may start anywhere


def _from_list(tensor: Tensor, data: Sequence[Any]) -> np.ndarray:
    flat = _flat(tensor, data)
    stored = _STORED[tensor.datatype]
    try:
        found = np.frombuffer(bytes(flat) if stored.char == "B" else array.array(stored.char, flat), stored)
    except (TypeError, ValueError, OverflowError) as error:
        raise wrong(tensor, f"has an element that is no {tensor.datatype}", rule=str(error)) from error
    return _converted(tensor, found, flat) if tensor.datatype in _CONVERTED else found


def _converted(tensor: Tensor, found: np.ndarray, flat: Sequence[Any]) -> np.ndarray:
    """The array in a type that the standard library's arrays do not have."""
    if tensor.datatype == "BOOL" and not {*map(type, flat)} <= {bool}:
        raise wrong(tensor, "has an element that is no BOOL", rule="They are true or false")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
        return found.astype(DTYPES[tensor.datatype])


def _flat(tensor: Tensor, data: Sequence[Any]) -> Sequence[Any]:
    """The elements in one list, as many as the shape says."""
    flat = _flattened(tensor, data) if data and isinstance(data[0], list) else data
    count = math.prod(tensor.shape)
    if len(flat) != count:
        rule = f"The shape {list(tensor.shape)} has {count:,}"
        raise wrong(tensor, "has too few or too many elements", rule=rule, received=f"{len(flat):,}")
    return flat


def _flattened(tensor: Tensor, data: Sequence[Any]) -> list[Any]:
    """The elements of lists in lists, which have the lengths that the shape says and nothing but numbers or strings."""
    level = list(data)
    for length in tensor.shape[1:]:
        if not all(isinstance(part, list) and len(part) == length for part in level):
            rule = f"Lists in lists have the lengths of the shape {list(tensor.shape)}"
            raise wrong(tensor, "has lists of other lengths", rule=rule, remedy="Send one flat list")
        level = list(chain.from_iterable(level))
    if not {*map(type, level)} <= {int, float, str, *([bool] if tensor.datatype == "BOOL" else [])}:
        raise wrong(tensor, "has elements that are neither numbers nor strings", remedy="Send one flat list")
    return level


def _unpacked(tensor: Tensor, data: memoryview, count: int) -> Sequence[bytes]:
    found: list[bytes] = []
    place = 0
    while place < len(data) and len(found) <= count:
        start = place + _PREFIX.size
        end = start + (_PREFIX.unpack_from(data, place)[0] if start <= len(data) else 0)
        if not start <= end <= len(data):
            rule = "Each element is its length in 4 bytes, the least first, and then itself"
            raise wrong(tensor, "has an element that breaks off", rule=rule, received=f"{len(data) - place} bytes")
        found.append(bytes(data[start:end]))
        place = end
    if len(found) != count:
        raise wrong(tensor, "has too few or too many elements", rule=f"The shape has {count}", received=len(found))
    return found
