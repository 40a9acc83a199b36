import io

import numpy as np
import soundfile
from PIL import Image

from lepton.checks import _content
from lepton.core.types import Record

GREY = np.arange(12).reshape(3, 4) * 20


def digest(raw):
    return _content.digest(Record("x", raw, None))


def test_texts_are_equal_after_nfc_and_strip():
    assert digest("  cafe\u0301\n") == digest("caf\u00e9")
    assert digest("Café") != digest("café")
    assert digest("a  b") != digest("a b")


def test_pictures_are_equal_by_their_pixels(picture):
    colour = np.stack([GREY] * 3, axis=2)
    assert (
        digest(picture(GREY))
        == digest(picture(colour))
        == digest(picture(GREY, "BMP"))
        == digest(picture(GREY, "TIFF"))
    )
    assert digest(picture(GREY)) != digest(picture(GREY.T))
    assert digest(picture(GREY)) != digest(picture(GREY + 1))


def test_a_turned_picture_counts_as_it_is_seen(picture):
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = picture(GREY[::-1, ::-1], exif=exif)
    assert digest(turned) == digest(picture(GREY))


def test_sounds_are_equal_by_their_samples_and_rate():
    samples = np.random.default_rng(0).integers(-999, 999, 400, np.int16)

    def sound(rate, kind, **options):
        stream = io.BytesIO()
        soundfile.write(stream, samples, rate, format=kind, **options)
        return stream.getvalue()

    assert digest(sound(8000, "WAV")) == digest(sound(8000, "FLAC")) == digest(sound(8000, "WAV", subtype="PCM_24"))
    assert digest(sound(8000, "WAV")) != digest(sound(16000, "WAV"))


def test_a_path_is_read_and_a_missing_one_still_has_a_digest(tmp_path, picture):
    path = tmp_path / "a.png"
    path.write_bytes(picture(GREY))
    assert digest(path) == digest(picture(GREY))
    assert digest(tmp_path / "gone") != digest(tmp_path / "gone too")


def test_other_bytes_count_as_they_are():
    assert digest(b"one") == digest(b"one")
    assert digest(b"one") != digest(b"two")
    assert digest(b"one") != digest("one")


def test_groups_use_the_digests_that_are_known():
    records = [Record("a", "x", None), Record("b", "y", None), Record("c", "x", None)]
    assert [[record.id for record in group] for group in _content.groups(records, None)] == [["a", "c"]]
    known = {"a": "1", "b": "1", "c": "2"}
    assert [[record.id for record in group] for group in _content.groups(records, known)] == [["a", "b"]]
