import io

import numpy as np
from PIL import Image

from lepton.checks import _grids


def test_each_way_shows_what_its_box_holds():
    picture = np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8)
    large = np.asarray(Image.fromarray(picture).resize((32, 32), Image.Resampling.BICUBIC))
    ways = _grids.shown(large[None])[0]
    for way in (0, 7, 100, 224, 230):
        left, right, top, bottom = _grids.BOXES[way] * 32
        if min(left, top) >= 0 and max(right, bottom) <= 32:
            part = Image.fromarray(large).resize((320, 320), Image.Resampling.BICUBIC, box=(left, top, right, bottom))
            assert float(_grids.grids(np.asarray(part)[None])[0] @ ways[way]) > 0.99


def test_the_last_ways_are_mirrored():
    picture = np.random.default_rng(0).integers(0, 255, (1, 32, 32), np.uint8)
    ways = _grids.shown(picture)[0]
    turned = [picture[:, :, ::-1], picture[:, ::-1], picture[:, ::-1, ::-1]]
    for way, mirrored in zip((-3, -2, -1), turned, strict=True):
        assert np.allclose(_grids.grids(mirrored)[0], ways[way], atol=1e-5)
        assert np.array_equal(_grids.turned(picture, np.array([len(ways) + way])), mirrored)


def test_ways_are_all_different_and_the_whole_is_among_them():
    ways = {(*box.tolist(), *turn.tolist()) for box, turn in zip(_grids.BOXES, _grids.TURNS, strict=True)}
    assert (0.0, 1.0, 0.0, 1.0, False, False) in ways
    assert len(ways) == len(_grids.BOXES) - len(_grids._TONES)


def test_thumbnails_of_all_kinds_of_images(picture):
    levels = np.arange(64 * 64).reshape(64, 64)
    deep, clear = io.BytesIO(), io.BytesIO()
    Image.fromarray(levels.astype(np.uint16)).save(deep, "PNG")
    Image.fromarray(np.dstack([np.zeros((64, 64, 3)), levels / 16]).astype(np.uint8)).save(clear, "PNG")
    plain = _grids.thumbnail(picture(levels / 16))
    assert plain.shape == (32, 32)
    assert np.abs(plain.astype(int) - _grids.thumbnail(deep.getvalue())).max() <= 1
    assert np.corrcoef(plain.ravel(), _grids.thumbnail(clear.getvalue()).ravel())[0, 1] < -0.99
    assert _grids.thumbnail(b"no image") is None
