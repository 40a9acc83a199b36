import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from lepton.checks import _grids, _pictures
from lepton.core.progress import Silent
from lepton.core.types import Record

COUNT = 40


def photo(seed, size=(80, 64)):
    """A smooth picture with some edges, as photos have."""
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(0, 255, (7, 7, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    for _ in range(6):
        left, top = dice.integers(0, size[0] - 20), dice.integers(0, size[1] - 20)
        coarse.paste(tuple(dice.integers(0, 255, 3).tolist()), (left, top, left + dice.integers(5, 20), top + 12))
    return coarse


def small(seed):
    """A pale stroke on black, as written digits are."""
    dice = np.random.default_rng(seed)
    canvas = Image.new("L", (112, 112))
    for x, y in (dice.normal(0, 6, (40, 2)).cumsum(axis=0) + 56).clip(20, 92):
        canvas.paste(255, (int(x) - 5, int(y) - 5, int(x) + 5, int(y) + 5))
    return canvas.resize((28, 28), Image.Resampling.BOX)


def stored(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def moved(image, x, y):
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, -x, 0, 1, -y))


def cut(image, left, top, right, bottom):
    width, height = image.size
    return image.crop(
        (round(left * width), round(top * height), round(width - right * width), round(height - bottom * height))
    )


CHANGES = {
    "saved again": lambda image: Image.open(io.BytesIO(stored(image, "JPEG", quality=60))),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned half": lambda image: image.rotate(180),
    "moved right": lambda image: moved(image, 1, 0),
    "moved up and left": lambda image: moved(image, -1, -1),
    "cut all round": lambda image: cut(image, 0.05, 0.05, 0.05, 0.05),
    "cut unevenly": lambda image: cut(image, 0.1, 0.03, 0.02, 0.08),
    "cut at one side": lambda image: cut(image, 0.15, 0, 0, 0),
    "cut and enlarged": lambda image: cut(image, 0.1, 0.1, 0.1, 0.1).resize(image.size, Image.Resampling.BILINEAR),
    "smaller": lambda image: image.resize((image.width * 3 // 4, image.height * 3 // 4)),
    "in a frame": lambda image: ImageOps.expand(ImageOps.crop(image, 1), 1, fill=0),
}


def pairs(images):
    raws = [image if isinstance(image, bytes) else stored(image) for image in images]
    thumbnails = np.stack([_grids.thumbnail(raw) for raw in raws])
    records = [Record(str(at), raw, None) for at, raw in enumerate(raws)]
    return {tuple(sorted(pair[:2])): pair[2] for pair in _pictures.pairs(records, thumbnails, Silent())}


@pytest.mark.parametrize("make", [photo, small])
def test_changed_copies_are_found_and_nothing_else(make):
    originals = [make(seed) for seed in range(COUNT)]
    found = pairs([*originals, *(change(originals[at]) for at, change in enumerate(CHANGES.values()))])
    assert set(found) == {(at, COUNT + at) for at in range(len(CHANGES))}
    assert all(1 - _pictures.FARTHEST[1] <= likeness <= 1.0001 for likeness in found.values())


def test_flat_pictures_are_left_out():
    assert pairs([Image.new("L", (30, 30), level) for level in (0, 0, 100, 255)] + [photo(0)]) == {}


def test_colours_count_where_grey_levels_agree():
    pixels = np.random.default_rng(0).integers(60, 190, (12, 12)).astype(np.float64)
    red, blue = np.stack([pixels, pixels / 2, pixels / 2], 2), np.stack([pixels / 2, pixels / 2, pixels * 2], 2)
    images = [Image.fromarray(np.uint8(levels.clip(0, 255))).resize((60, 60)) for levels in (red, blue)]
    others = [photo(seed) for seed in range(10)]
    assert pairs([*images, *others]) == {}
    assert set(pairs([images[0], ImageEnhance.Brightness(images[0]).enhance(0.8), *others])) == {(0, 1)}
    assert set(pairs([images[0], images[0].convert("L"), *others])) == {(0, 1)}


def test_bars_at_one_place_in_different_noise_are_different():
    dice = np.random.default_rng(0)
    images = []
    for at in range(60):
        pixels = dice.integers(0, 60, (12, 12)).astype(np.uint8)
        place = int(dice.integers(2, 9))
        pixels[place : place + 2] = 220
        images.append(Image.fromarray(pixels if at < 30 else pixels.T))
    assert pairs(images) == {}


def test_a_picture_that_is_gone_meanwhile_is_passed_over(tmp_path):
    raws = [stored(photo(0)), stored(photo(0), "JPEG"), *(stored(photo(seed)) for seed in range(1, 9))]
    records = [Record(str(at), tmp_path / "gone" if at == 1 else raw, None) for at, raw in enumerate(raws)]
    thumbnails = np.stack([_grids.thumbnail(raw) for raw in raws])
    assert list(_pictures.pairs(records, thumbnails, Silent())) == []


def test_where_others_look_alike_copies_must_be_closer():
    ends = np.array([[at, at + step] for at in range(98) for step in (1, 2)])
    unlike, alike = (_pictures._limit(ends, np.full(len(ends), far), 100) for far in (2.0, 0.01))
    assert (alike, unlike) == _pictures.FARTHEST


def test_real_photos_are_all_different(real):
    paths = sorted(real("clothing").glob("validation/*/*.jpg"))
    assert len(paths) == 146
    assert pairs([path.read_bytes() for path in paths]) == {}
