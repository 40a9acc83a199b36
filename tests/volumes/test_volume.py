import numpy as np
import pytest

from lepton.volumes.volume import Volume, canonical, grey, picture, shown, window_of

RAMP = np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1)


def test_what_lies_flat_is_shown_as_radiologists_see_it():
    """RAS+: the picture's left is the patient's right, its top the front."""
    volume = Volume(RAMP, np.eye(4), (0, 23))
    pixels = picture(volume)
    assert pixels.shape == (3, 2)
    assert pixels.tolist() == np.rint(RAMP[::-1, ::-1, 2, 0].T / 23 * 255).tolist()


def test_a_lone_slice_keeps_its_rows_and_columns():
    sagittal = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    volume = Volume(RAMP[:, :, :1], sagittal)
    assert canonical(volume) is volume
    assert volume.orientation == "PIR"


def test_the_window_is_the_files_else_what_is_there():
    values = np.linspace(0, 1000, 1001).reshape(1, 1, 1001, 1)
    assert window_of(Volume(values, np.eye(4), (3, 4))) == (3, 4)
    assert window_of(Volume(values, np.eye(4))) == pytest.approx((5, 995))
    assert window_of(Volume(np.full((2, 2, 2, 1), np.nan), np.eye(4))) == (0, 1)
    assert window_of(Volume(np.zeros((2, 2, 2, 3), np.uint8), np.eye(4), colour=True)) == (0, 255)


def test_values_are_shown_between_black_and_white():
    values = np.array([-5.0, 0, 5, 10, 20, np.nan, np.inf, -np.inf])
    assert shown(values, (0, 10)).tolist() == [0, 0, 0.5, 1, 1, 0, 1, 0]


def test_grey_is_the_luma_of_colours_and_the_first_time_point():
    colours = np.array([[[[255, 0, 0], [0, 0, 255]]]], np.uint8)
    assert np.allclose(grey(Volume(colours, np.eye(4), colour=True)), [[[76.245, 29.07]]])
    assert grey(Volume(np.array([[[[3, 4]]]]), np.eye(4))).tolist() == [[[3]]]
