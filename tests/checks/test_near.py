import io

import numpy as np
import soundfile

from lepton.checks import _content, _near
from lepton.core.types import Record


def sound(seed, kind="WAV"):
    stream = io.BytesIO()
    soundfile.write(stream, np.random.default_rng(seed).uniform(-0.5, 0.5, 4000), 8000, format=kind)
    return stream.getvalue()


def media(*raws):
    return [Record(str(at), raw, "x") for at, raw in enumerate(raws)]


def grouped(records):
    """The clusters as sets of ids."""
    clusters = _near.tied(_near.pairs(records))
    return sorted(sorted(name for name in clusters if clusters[name] == number) for number in set(clusters.values()))


def test_texts_pictures_and_recordings_side_by_side(picture):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20))
    records = media("One two", sound(1), picture(pixels), "one two?", sound(1, "FLAC"), picture(pixels, "JPEG"))
    assert grouped(records) == [["0", "3"], ["1", "4"], ["2", "5"]]


def test_what_is_equal_and_what_is_near_make_one_cluster(texts):
    records = texts(("same", "x"), ("same", "x"), ("Same", "x"), ("other", "x"), ("same.", "x"))
    pairs = _near.pairs(records)
    assert [pair[:2] for pair in pairs if pair.equal] == [("0", "1")]
    assert grouped(records) == [["0", "1", "2", "4"]]


def test_digests_that_are_known_are_not_made_again(texts):
    records = texts(("a", "x"), ("b", "x"), ("c", "x"))
    assert _near.pairs(records, {"0": "same", "1": "same", "2": "other"}) == [("0", "1", 1.0, True)]


def test_what_cannot_be_decoded_stands_alone(tmp_path, picture):
    broken = picture(np.random.default_rng(0).integers(0, 255, (20, 20)))[:200]
    assert grouped(media(b"noise", b"other noise", broken, tmp_path / "gone", sound(0)[:300], b"")) == []


def test_the_same_comes_out_again(picture):
    pixels = np.random.default_rng(0).integers(0, 255, (12, 20, 20))
    records = media(*(picture(one) for one in pixels), *(picture(one, "JPEG", quality=70) for one in pixels[:5]))
    assert _near.pairs(records) == _near.pairs(records)
    assert len(_near.pairs(records, _content.digests(records))) == 5


def test_nothing_is_near_nothing():
    assert _near.pairs([]) == []
    assert _near.tied([]) == {}
