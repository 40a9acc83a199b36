import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lepton.formats import _png


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0, 1, 3, 4]), st.integers(0, 99))
def test_pillow_reads_the_same_pixels(height, width, channels, seed):
    shape = (height, width, channels) if channels else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    image = Image.open(io.BytesIO(_png.encode(pixels)))
    assert image.mode == {0: "L", 1: "L", 3: "RGB", 4: "RGBA"}[channels]
    assert np.array_equal(np.asarray(image), pixels.squeeze(2) if channels == 1 else pixels)


@pytest.mark.parametrize(
    ("shape", "well"),
    [((2, 3, 4), True), ((2, 3, 4, 3), True), ((2, 3, 4, 2), False), ((2, 3), False), ((2, 0, 4), False)],
)
def test_drawable_shapes(shape, well):
    assert _png.drawable(shape) is well
