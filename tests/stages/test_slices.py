"""Slices: what is measured of raw inputs made here, and which fields part the records."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lepton.core.types import Record
from lepton.stages import _slices


def texts(lengths):
    return [Record(str(index), "x" * length, "a") for index, length in enumerate(lengths)]


def grey(level, side):
    stream = io.BytesIO()
    Image.new("L", (side, side + 3), level).save(stream, "PNG")
    return stream.getvalue()


def tone(level, seconds):
    stream = io.BytesIO()
    signal = level * np.sqrt(2) * np.sin(2 * np.pi * 100 * np.arange(round(8000 * seconds)) / 8000)
    soundfile.write(stream, signal, 8000, format="WAV", subtype="FLOAT")
    return stream.getvalue()


def labelled(values, name="speaker"):
    return [Record(str(index), "x", "a", None, {name: value}) for index, value in enumerate(values)]


def test_texts_are_cut_by_their_length():
    (cut,) = _slices.properties(texts([1, 2, 3, 40, 50, 60, 700, 800, 1900]), "text")
    assert cut.name == "length (characters)"
    assert cut.names == ["length 1 to 3", "length 40 to 60", "length 700 to 1,900"]
    assert cut.values == [name for name in cut.names for _ in range(3)]


def test_images_are_cut_by_brightness_and_where_it_varies_by_side():
    levels = [0, 51, 102, 153, 204, 255]
    same = [Record(str(level), grey(level, 8), "a") for level in levels]
    (cut,) = _slices.properties(same, "image")
    assert cut.name == "brightness (0 to 1)"
    assert cut.names == ["brightness 0.00 to 0.20", "brightness 0.40 to 0.60", "brightness 0.80 to 1.00"]
    varied = [Record(str(level), grey(level, 8 + level), "a") for level in levels]
    assert _slices.properties(varied, "image")[1].names[0] == "side 8 to 59"


def test_sound_is_cut_by_loudness_and_duration():
    sounds = [(0.001, 0.3), (0.01, 0.1), (0.1, 0.2)]
    records = [Record(str(index), tone(*own), "a") for index, own in enumerate(sounds)]
    loudness, duration = _slices.properties(records, "audio")
    assert loudness.names == ["loudness -60.0", "loudness -40.0", "loudness -20.0"]
    assert duration.values == ["duration 0.30", "duration 0.10", "duration 0.20"]
    assert duration.names == ["duration 0.10", "duration 0.20", "duration 0.30"]


def test_silence_has_a_loudness():
    records = [Record(str(index), tone(level, 0.1), "a") for index, level in enumerate([0.0, 0.1])]
    assert _slices.properties(records, "audio")[0].names[0] == "loudness -120.0"


def test_inputs_beyond_the_usual_limits_are_measured(monkeypatch):
    monkeypatch.setattr(_slices.image.decode, "__kwdefaults__", {"max_pixels": 10})
    monkeypatch.setattr(_slices.logmel.decode, "__kwdefaults__", {"max_seconds": 0.01})
    assert _slices.properties([Record("0", grey(0, 8), "a"), Record("1", grey(9, 8), "a")], "image")
    assert _slices.properties([Record("0", tone(0.1, 0.1), "a"), Record("1", tone(0.2, 0.1), "a")], "audio")


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30))
def test_slices_part_all_records_in_order(lengths):
    for cut in _slices.properties(texts(lengths), "text"):
        assert 2 <= len(cut.names) <= 3
        assert set(cut.values) == set(cut.names)
        places = [cut.names.index(value) for value in cut.values]
        assert [place for _, place in sorted(zip(lengths, places, strict=True))] == sorted(places)


def test_equal_inputs_are_not_cut():
    assert _slices.properties(texts([4] * 20), "text") == []


def test_a_field_parts_by_the_values_that_are_frequent():
    (cut,) = _slices.fields(labelled([*"aaaaa", *"bbbbbb", *"cccc"]))
    assert (cut.name, cut.names) == ("speaker", ["a", "b"])
    assert cut.values == [*"aaaaa", *"bbbbbb", None, None, None, None]


@pytest.mark.parametrize("values", ["a" * 20, "abcdefghij", [str(index // 5) for index in range(21 * 5)], [""] * 20])
def test_fields_with_one_value_or_too_many_or_rare_ones_are_left_out(values):
    assert _slices.fields(labelled(values)) == []


def test_the_label_itself_and_missing_fields_are_left_out():
    records = [Record(str(index), "x", "ab"[index % 2], None, {"kind": "ab"[index % 2]}) for index in range(20)]
    assert _slices.fields(records) == []
    assert _slices.fields([Record("0", "x", "a")]) == []
