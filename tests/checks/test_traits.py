import io

import numpy as np
import pytest
import soundfile

from lepton.checks import _picture_traits, _sound_traits, _text_traits
from lepton.checks._traits import traits
from lepton.core.types import Record


def test_records_of_all_kinds_come_into_their_tables(picture, tmp_path):
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(100), 8000, format="FLAC")
    raws = [picture(np.zeros((9, 7, 3))), "a text", stream.getvalue(), b"neither", tmp_path / "absent.png"]
    found = traits([Record(str(at), raw, "a") for at, raw in enumerate(raws)])
    assert [list(table.places) for table in (found.pictures, found.texts, found.sounds)] == [[0], [1], [2]]
    assert [found.pictures.column(name)[0] for name in ("width", "height", "brightness")] == [7, 9, 0]
    assert _sound_traits.KINDS[int(found.sounds.column("kind")[0])] == "FLAC"


def test_the_sample_has_as_many_of_each_class_and_none_of_test(texts):
    items = [("text", "large", "train")] * 9000 + [("text", "small", "train")] * 50 + [("text", "small", "test")] * 50
    found = traits(texts(*items))
    assert len(found.sample) == 2050
    assert max(found.sample) == 9049


def test_many_classes_do_not_make_the_sample_large(texts):
    assert len(traits(texts(*[(str(at), str(at % 2000)) for at in range(10_000)])).sample) <= 4000


def test_what_a_picture_looks_like(picture):
    pixels = np.full((64, 64, 3), 200)
    pixels[:8, :8] = (255, 0, 0)
    look = _picture_traits.look(picture(pixels), fine=True)
    told = dict(zip(_picture_traits.NAMES, look.numbers, strict=True))
    assert (told["width"], told["height"], told["coarseness"]) == (64, 64, 0)
    assert told["border"] < 200
    assert look.sketch[0, 0].tolist() == [255, 0, 0]
    assert look.fine.shape == (32, 32, 9)
    reddest = look.fine[:, :, 3 + _picture_traits.EXTREMES.index("reddest")]
    assert set(np.argwhere(reddest > 200).max(axis=0)) == {3}


def test_a_coarser_jpeg_says_so(picture):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    fine, coarse = (_picture_traits.header(picture(noise, "JPEG", quality=quality)) for quality in (95, 30))
    assert 0 < fine.coarseness < coarse.coarseness
    assert _picture_traits.header(b"no picture") is None


def test_how_a_recording_sounds():
    time = np.arange(16_000) / 16_000
    sound = 0.25 * np.sin(2 * np.pi * 1000 * time)
    sound[:4000] = 0
    stream = io.BytesIO()
    soundfile.write(stream, sound, 16_000, format="WAV")
    look = _sound_traits.look(stream.getvalue())
    told = dict(zip(_sound_traits.NAMES, look.numbers, strict=True))
    assert told["seconds"] == 1
    assert told["peak"] == pytest.approx(0.25, abs=0.01)
    assert told["loudness"] == pytest.approx(10 * np.log10(0.25**2 / 2 * 0.75), abs=0.1)
    assert told["before"] == pytest.approx(0.25, abs=0.07)
    loudest = int(look.sketch[0].argmax())
    assert _sound_traits.edges()[loudest] <= 1000 <= _sound_traits.edges()[loudest + 1]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Hello, World", "capitals", 2 / 12),
        ("a b  c ", "spaces", 1),
        ("is it?", "ending", 1),
        ("is it", "ending", 0),
        ("\u00fcber", "foreign", 1 / 4),
        ("\u00e2\u20ac\u2122s", "misread", 1),
        ("na\u00efve caf\u00e9", "misread", 0),
        ("\u4eca\u65e5\u306f", "script", _text_traits.SCRIPTS.index("Han or kana")),
        ("42", "script", 1),
    ],
)
def test_what_a_text_looks_like(text, name, value):
    told = dict(zip(_text_traits.NAMES, _text_traits.look(text).numbers, strict=True))
    assert told[name] == pytest.approx(value)
