import numpy as np
import pytest

from lepton.checks import _alignment

WHOLE = np.array([[0, 1, 0, 1]], np.float32)


def smooth(height=40, width=48, seed=0):
    """A picture of a few waves, and the same at any places, in shares of its sides."""
    dice = np.random.default_rng(seed)
    waves = [(dice.uniform(-9, 9), dice.uniform(-9, 9), dice.uniform(0, 6)) for _ in range(8)]

    def at(box, shape=(height, width)):
        left, right, top, bottom = box
        down, across = ((np.arange(count) + 0.5) / count for count in shape)
        x, y = left + across * (right - left), top + down[:, None] * (bottom - top)
        return (120 + 14 * sum(np.sin(a * x + b * y + c) for a, b, c in waves))[None].astype(np.float32)

    return at


@pytest.mark.parametrize(
    "box", [(0, 1, 0, 1), (0.1, 0.9, 0.05, 1), (0.03, 1.03, -0.02, 0.98), (0.2, 1, 0, 0.8)], ids=str
)
def test_the_box_that_a_copy_shows_is_found(box):
    picture = smooth()
    start = np.array([box], np.float32) + [[0.02, -0.02, 0.015, 0.01]]
    found = _alignment.fit(picture((0, 1, 0, 1)), picture(box), start.astype(np.float32), rounds=8)
    assert found.boxes[0] == pytest.approx(box, abs=0.004)
    assert _alignment.correlation(found.toned, picture(box), found.counts)[0] > 0.999


def test_brightness_contrast_and_what_they_cut_off_make_no_difference():
    original = smooth()((0, 1, 0, 1))
    copy = np.clip(2.4 * original - 160, 0, 255)
    found = _alignment.fit(original, copy, WHOLE, rounds=3)
    assert _alignment.correlation(original, copy, found.counts)[0] < 0.998
    assert _alignment.correlation(found.toned, copy, found.counts)[0] > 0.9999


def test_an_inverted_picture_is_not_the_same():
    original = smooth()((0, 1, 0, 1))
    found = _alignment.fit(original, 255 - original, WHOLE, rounds=3)
    assert _alignment.correlation(found.toned, 255 - original, found.counts)[0] < 0.5


def test_little_overlap_counts_as_none():
    original = smooth()((0, 1, 0, 1))
    found = _alignment.fit(original, original, np.array([[0.7, 1.7, 0, 1]], np.float32), rounds=0)
    assert _alignment.correlation(found.toned, original, found.counts)[0] == -1


def test_flat_pictures_raise_nothing():
    flat = np.full((2, 20, 20), 7, np.float32)
    found = _alignment.fit(flat, flat, np.repeat(WHOLE, 2, axis=0), rounds=2)
    assert _alignment.correlation(found.toned, flat, found.counts).tolist() == [0, 0]


def test_resampling_to_the_same_size_changes_nothing():
    made = _alignment.weights(np.zeros(1), np.full(1, 9.0), (9, 9))
    assert np.allclose(made[0], np.eye(9), atol=1e-6)


def test_resampling_keeps_means_and_leaves_out_no_pixel():
    made = _alignment.weights(np.zeros(1), np.full(1, 64.0), (8, 64))[0]
    assert np.allclose(made.sum(axis=1), 1, atol=1e-6)
    assert (np.abs(made).sum(axis=0) > 0).all()
