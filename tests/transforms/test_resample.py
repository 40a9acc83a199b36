"""Resampling: tones come out as they went in, what lies above the new limit vanishes."""

import numpy as np
import pytest

from lepton.transforms._resample import resampled

RATES = [(8000, 16000), (44100, 16000), (16000, 8000), (48000, 16000), (11025, 8000), (16001, 16000), (44101, 16000)]


def tone(rate, hertz, seconds=0.25):
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_keeps_its_shape_and_place(source, target):
    made = resampled(tone(source, 440), source, target)
    expected = np.sin(2 * np.pi * 440 * np.arange(len(made)) / target)
    assert made.dtype == np.float32
    assert len(made) == -(-int(source * 0.25) * target // source)
    inner = slice(target // 100, -target // 50)
    np.testing.assert_allclose(made[inner], expected[inner], atol=1e-4)


@pytest.mark.parametrize(("source", "target"), [pair for pair in RATES if pair[0] > 1.1 * pair[1]])
def test_what_the_new_rate_cannot_carry_vanishes(source, target):
    made = resampled(tone(source, target * 0.55), source, target)
    assert np.abs(made[target // 50 : -target // 50]).max() < 1e-3


def test_the_same_rate_changes_nothing():
    signal = tone(8000, 100).astype(np.float32)
    np.testing.assert_array_equal(resampled(signal, 8000, 8000), signal)


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_short_signals_have_the_length_they_should(length):
    assert len(resampled(np.ones(length), 8000, 16000)) == 2 * length
    assert len(resampled(np.ones(length), 44101, 16000)) == -(-length * 16000 // 44101)
