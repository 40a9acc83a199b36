import io

import numpy as np
import pytest
from PIL import Image

from lepton.core import pictures
from lepton.core.errors import BadInput
from lepton.core.types import Mask


def saved(path, pixels, kind="PNG", **options):
    Image.fromarray(pixels).save(path, kind, **options)
    return path


@pytest.mark.parametrize(("orientation", "size"), [(1, (4, 3)), (3, (4, 3)), (6, (3, 4)), (8, (3, 4))])
def test_a_size_is_what_is_seen(orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.new("RGB", (4, 3)).save(stream, "JPEG", exif=exif)
    assert pictures.size(stream.getvalue()) == size


@pytest.mark.parametrize("raw", [b"", b"no picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_what_is_no_picture(raw):
    with pytest.raises(BadInput):
        pictures.size(raw)


def test_sixteen_bits_are_kept(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[0, 300], [65535, 1]], np.uint16))
    assert pictures.values(path).tolist() == [[0, 300], [65535, 1]]


def test_a_colour_is_no_large_index(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[[0, 1, 44], [7, 7, 7]]], np.uint8))
    found = pictures.values(path)
    assert [pictures.unpack(value) for value in found[0].tolist()] == [(0, 1, 44), (7, 7, 7)]
    assert pictures.unpack(300) == 300
    assert pictures.pack((0, 1, 44)) == found[0, 0]


def test_classes_of_colours_in_a_mask_that_has_only_grey_ones(tmp_path):
    path = saved(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    mask = Mask(str(path), (((255, 0, 0), "car"), ((0, 0, 0), "sky")))
    assert pictures.classes(mask).tolist() == [[1, 1], [1, 1]]


def test_nothing_is_known_where_there_are_no_classes(tmp_path):
    path = saved(tmp_path / "a.png", np.zeros((1, 2), np.uint8))
    assert pictures.classes(Mask(str(path), ())).tolist() == [[pictures.UNKNOWN] * 2]


def test_too_many_pixels_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 3)
    with pytest.raises(BadInput, match="2 x 2 pixels"):
        pictures.values(saved(tmp_path / "a.png", np.zeros((2, 2), np.uint8)))
