"""The codec of tensors, against numpy and against the protocol's own words."""

import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lepton.serve import _tensors
from lepton.serve._problems import Problem
from lepton.serve._tensors import BYTES, DTYPES, Tensor

SHAPES = arrays.array_shapes(max_dims=3, max_side=4)
NUMBERS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        arrays.arrays(DTYPES[name], SHAPES, elements=None if DTYPES[name].kind != "f" else finite(name)),
    )
)


def finite(name: str) -> st.SearchStrategy[float]:
    return st.floats(width=int(name[2:]), allow_nan=False, allow_infinity=False)  # type: ignore[arg-type]


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()


@given(NUMBERS)
def test_numbers_survive_as_bytes_and_as_lists(pair: tuple[str, np.ndarray]) -> None:
    name, array = pair
    sent = msgspec.json.decode(msgspec.json.encode(array.ravel().tolist()))
    nested = msgspec.json.decode(msgspec.json.encode(array.tolist()))
    odd = memoryview(b"." + array.tobytes())[1:]
    for data in (array.tobytes(), memoryview(array.tobytes()), odd, sent, nested):
        tensor = Tensor("x", name, list(array.shape), data)
        assert same(_tensors.numbers(tensor), array)
        assert _tensors.numbers(tensor).flags.aligned
    assert _tensors.as_bytes(Tensor("x", name, array.shape, sent)) == array.tobytes()


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5))
def test_strings_survive_as_bytes(items: list[bytes]) -> None:
    data = _tensors.packed(items)
    assert _tensors.strings(Tensor("x", BYTES, [len(items)], data)) == items
    assert data == b"".join(struct.pack("<I", len(item)) + item for item in items)


def test_text_is_packed_as_utf_8() -> None:
    assert _tensors.packed(["Zoë", b"\xff"]) == b"\x04\0\0\0Zo\xc3\xab\x01\0\0\0\xff"


def attempt(tensor: Tensor) -> Any:
    try:
        return _tensors.strings(tensor) if tensor.datatype == BYTES else _tensors.numbers(tensor)
    except Problem as problem:
        return problem


@given(st.binary(max_size=40), st.integers(0, 4))
def test_any_bytes_are_strings_or_a_problem(data: bytes, count: int) -> None:
    found = attempt(Tensor("x", BYTES, [count], data))
    assert found.status == 400 if isinstance(found, Problem) else _tensors.packed(found) == data


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*DTYPES, BYTES]), st.lists(JUNK, max_size=5), st.lists(st.integers(0, 3), max_size=3))
def test_any_list_is_a_tensor_or_a_problem(name: str, data: list[Any], shape: list[int]) -> None:
    found = attempt(Tensor("x", name, shape, data))
    if isinstance(found, Problem):
        assert found.status == 400
        assert len(found.message) < 600
    else:
        assert np.size(found) == np.prod(shape)


@pytest.mark.parametrize(
    ("name", "shape", "data"),
    [
        ("UINT8", [1], [256]),
        ("UINT8", [1], [-1]),
        ("UINT8", [1], [1.0]),
        ("UINT8", [1], ["1"]),
        ("INT8", [1], [128]),
        ("INT64", [1], [2**63]),
        ("INT64", [1], [0.5]),
        ("UINT64", [1], [-1]),
        ("FP32", [1], ["1"]),
        ("FP32", [1], [1e39]),
        ("FP16", [1], [70000.0]),
        ("FP64", [1], [None]),
        ("FP32", [1], np.float32(np.nan).tobytes()),
        ("FP64", [1], np.float64(np.inf).tobytes()),
        ("BOOL", [1], [1]),
        ("BOOL", [1], b"\x02"),
        ("FP32", [2], b"\0" * 7),
        ("UINT8", [2, 2], [[1, 2], [3]]),
        ("UINT8", [2, 2], [[1, 2], 3]),
        ("UINT8", [1, 2], [[1, True]]),
        ("UINT8", [2], [[1], [2]]),
        ("UINT8", [0], [1]),
        (BYTES, [1], [1]),
        (BYTES, [1], b"\x05\0\0\0abc"),
        (BYTES, [1], b"\x05\0"),
        (BYTES, [1], b""),
        (BYTES, [1], b"\0\0\0\0" * 1000),
    ],
)
def test_what_does_not_fit_is_a_problem(name: str, shape: list[int], data: Any) -> None:
    found = attempt(Tensor("x", name, shape, data))
    assert found.status == 400
    assert found.detail.startswith("The tensor x ")
