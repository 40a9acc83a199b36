import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lepton.checks import odd_files
from lepton.checks._traits import traits
from lepton.core.types import Record


def found(records):
    """Record ids by a word of the message."""
    return {finding.message: [suspect.id for suspect in finding.records] for finding in find(records)}


def find(records):
    return odd_files.find(records, traits=traits(records))


def only(records, words):
    [(message, names)] = found(records).items()
    assert words in message
    return names


@pytest.fixture
def pictures(picture):
    random = np.random.default_rng(0)
    return [Record(f"{at}.png", picture(random.integers(0, 256, (40, 40, 3))), "a") for at in range(99)]


@pytest.mark.parametrize(
    ("size", "words"),
    [((40, 200, 3), "longer or wider"), ((5, 5, 3), "smaller"), ((300, 300, 3), "larger"), ((40, 40), "grey")],
)
def test_pictures_of_odd_sizes_and_modes(pictures, picture, size, words):
    assert found(pictures) == {}
    odd = picture(np.random.default_rng(1).integers(0, 256, size))
    assert only([*pictures, Record("odd", odd, "a")], words) == ["odd"]


def test_a_picture_of_one_colour(pictures, picture):
    odd = Record("odd", picture(np.full((40, 40, 3), 90)), "a")
    [finding] = find([*pictures, odd])
    assert (finding.severity, finding.message) == ("warning", "1 picture of one colour only.")


def test_sizes_that_are_not_rare_are_not_odd(picture):
    random = np.random.default_rng(0)
    sizes = [(40, 40, 3), (40, 90, 3), (90, 40, 3), (60, 60)]
    assert found([Record(str(at), picture(random.integers(0, 256, sizes[at % 4])), "a") for at in range(80)]) == {}


def test_a_name_that_says_another_kind_of_file(pictures, picture, tmp_path):
    for name, kind in (("wrong.jpg", "PNG"), ("right.jpeg", "JPEG"), ("right.png", "PNG")):
        (tmp_path / name).write_bytes(picture(np.random.default_rng(2).integers(0, 256, (40, 40, 3)), kind))
    files = [Record(path.name, Path(path), "a") for path in sorted(tmp_path.iterdir())]
    assert only([*pictures, *files], "names say another") == ["wrong.jpg"]


def wav(samples, rate=8000):
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="WAV")
    return stream.getvalue()


@pytest.fixture
def sounds():
    random = np.random.default_rng(0)
    return [Record(f"{at}.wav", wav(random.normal(0, 0.1, 4000)), "a") for at in range(60)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda random: wav(np.zeros(4000)), "nothing is heard"),
        (lambda random: wav(np.clip(random.normal(0, 2, 4000), -1, 1)), "clipped"),
        (lambda random: wav(random.normal(0, 0.1, 200)), "shorter"),
        (lambda random: wav(random.normal(0, 0.1, 80_000)), "longer"),
        (lambda random: wav(random.normal(0, 0.1, 8000), 16_000), "sample rate"),
        (lambda random: wav(random.normal(0, 0.1, (4000, 2))), "channels"),
    ],
)
def test_odd_recordings(sounds, make, words):
    assert found(sounds) == {}
    assert only([*sounds, Record("odd", make(np.random.default_rng(1)), "a")], words) == ["odd"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  \n", "without a character"),
        ("the cafÃ© is closed", "decoded wrongly"),
        ("what\x07 is it", "control"),
        ("long " * 900, "longer"),
        ("\u0433\u0434\u0435 \u043c\u043e\u044f \u043a\u0430\u0440\u0442\u0430", "script"),
    ],
)
def test_odd_texts(texts, text, words):
    plain = [(f"where is my card number {at}, caf\u00e9?", "a") for at in range(80)]
    assert found(texts(*plain)) == {}
    assert only(texts(*plain, (text, "a")), words) == ["80"]


def test_numbers_and_signs_alone_are_of_no_script(texts):
    assert found(texts(*[(f"where is number {at}", "a") for at in range(80)], ("12 + 3 = 15", "a"))) == {}
