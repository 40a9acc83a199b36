import io
import struct
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.core.errors import BadInput
from lepton.streams._sound import Samples, Windows, wav


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-32768, 32768, count).astype(np.int16)


def cut(data: Any, places: list[int]) -> list[Any]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from(["<i2", "<f4"]))
def test_samples_are_the_same_however_their_bytes_are_cut(places: list[int], kind: str) -> None:
    whole = (noise(500) / 32768).astype(kind) if kind == "<f4" else noise(500)
    samples = Samples("f32le" if kind == "<f4" else "s16le")
    found = np.concatenate([samples.feed(part) for part in cut(whole.astype(kind).tobytes(), places)])
    assert found.dtype == np.dtype(kind)
    assert np.array_equal(found, whole)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 10_000), max_size=12),
    st.integers(1, 60),
    st.integers(1, 90),
)
def test_windows_are_the_same_however_samples_are_cut(places: list[int], length: int, hop: int) -> None:
    whole = noise(400)
    windows = Windows(length, hop)
    found = [one for part in cut(whole, places) for one in windows.feed(part)]
    assert [one.start for one in found] == list(range(0, 400 - length + 1, hop))
    assert all(np.array_equal(one.samples, whole[one.start : one.start + length]) for one in found)


def test_levels_are_decibels_below_full_scale() -> None:
    def level(samples: np.ndarray) -> float:
        return next(Windows(len(samples), 1).feed(samples)).level

    wave = np.sin(np.arange(8000) / 10)
    assert level(wave.astype(np.float32)) == pytest.approx(-3.01, abs=0.01)
    assert level((wave * 3276.8).astype(np.int16)) == pytest.approx(-23.01, abs=0.01)
    assert level(np.zeros(10, np.int16)) == float("-inf")


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_a_window_becomes_a_file_with_the_same_samples(kind: type) -> None:
    whole = noise(300) if kind is np.int16 else (noise(300) / 32768).astype(kind)
    samples, rate = soundfile.read(io.BytesIO(wav(whole, 11_025)), dtype="int16" if kind is np.int16 else "float32")
    assert rate == 11_025
    assert np.array_equal(samples, whole)


def test_both_formats_of_one_sound_decode_to_the_same_floats() -> None:
    whole = noise(300)
    pair = [wav(whole, 8000), wav((whole / 32768).astype(np.float32), 8000)]
    first, second = (soundfile.read(io.BytesIO(data), dtype="float32")[0] for data in pair)
    assert np.array_equal(first, second)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_floats_that_are_no_finite_numbers_are_refused(value: float) -> None:
    with pytest.raises(BadInput, match="no finite numbers"):
        Samples("f32le").feed(struct.pack("<ff", 0.5, value))


@pytest.mark.parametrize("data", [b"RIFF\x00\x00\x00\x00WAVE", b"fLaC0000", b"OggS0000", b"RF64"])
def test_a_files_header_is_refused_at_the_start_and_only_there(data: bytes) -> None:
    with pytest.raises(BadInput, match="header"):
        Samples("s16le").feed(data)
    late = Samples("s16le")
    late.feed(b"\x00\x00")
    assert len(late.feed(data)) == len(data) // 2
