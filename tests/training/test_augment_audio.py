import math

import numpy as np
import pytest
import torch

from lepton.training import _augment_audio
from lepton.training._augment_audio import augment


def _features(batch=16, frames=40, bands=24):
    """Smooth features, whose bilinear look-up loses little."""
    times, pitches = np.mgrid[0:frames, 0:bands]
    waves = [np.sin(times / (5 + index % 7)) * np.cos(pitches / (4 + index % 5)) for index in range(batch)]
    return torch.from_numpy(4 * np.stack(waves).astype(np.float32) - 6)


def _seed(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def only(monkeypatch):
    """Switch every change off but those given by name."""

    def switch(**sizes):
        for name in (
            "SHIFT",
            "STRETCH",
            "BEND",
            "WARP",
            "GAIN",
            "TILT",
            "NOISE",
            "FLOOR",
            "MASKED_FRAMES",
            "MASKED_BANDS",
        ):
            monkeypatch.setattr(_augment_audio, f"_{name}", sizes.get(name, 0.0))

    return switch


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 8), (3, 50, 1), (5, 30, 20)])
@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0])
def test_shape_and_type_are_kept_and_all_is_finite(shape, strength):
    features = torch.randn(shape, generator=_seed())
    out = augment(features, _seed(), strength=strength)
    assert (out.shape, out.dtype) == (features.shape, torch.float32)
    assert torch.isfinite(out).all()


def test_silence_stays_finite():
    assert torch.isfinite(augment(torch.full((2, 10, 8), -13.8), _seed(), strength=1.0)).all()


def test_the_batch_given_is_left_alone():
    features = _features()
    before = features.clone()
    augment(features, _seed(), strength=1.0)
    assert torch.equal(features, before)


def test_one_seed_one_result():
    features = _features()
    assert torch.equal(augment(features, _seed(1), strength=1.0), augment(features, _seed(1), strength=1.0))
    assert not torch.equal(augment(features, _seed(1), strength=1.0), augment(features, _seed(2), strength=1.0))


def test_the_global_generator_is_not_used():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    augment(_features(), _seed(), strength=1.0)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_strength_changes_nothing():
    features = _features()
    assert torch.equal(augment(features, _seed(), strength=0.0), features)


def test_little_strength_changes_little():
    features = _features()
    small, large = ((augment(features, _seed(), strength=size) - features).abs().mean() for size in (0.01, 1.0))
    assert small < 0.1 * large


def test_each_recording_gets_its_own_change():
    out = augment(_features(1).expand(16, -1, -1), _seed(), strength=1.0)
    assert len({tuple(each.flatten().tolist()) for each in out}) == 16


def test_units_do_not_matter():
    features = _features()
    decibels = augment(features * 10 / math.log(10), _seed(), strength=1.0)
    torch.testing.assert_close(
        decibels, augment(features, _seed(), strength=1.0) * 10 / math.log(10), atol=1e-3, rtol=0
    )


def test_a_shift_moves_all_frames_alike(only):
    only(SHIFT=0.3)
    ramp = torch.arange(40.0)[None, :, None].expand(8, -1, 6)
    out = augment(ramp, _seed(), strength=1.0)
    moved = (out - ramp)[:, 15:25]
    assert moved.std(1).max() < 1e-4
    assert 1 < moved.abs().max() < 0.3 * 40
    assert out.min() >= 0
    assert out.max() <= 39


def test_a_stretch_keeps_the_middle(only):
    only(STRETCH=0.3)
    ramp = torch.linspace(-1, 1, 41)[None, :, None].expand(8, -1, 6)
    out = augment(ramp, _seed(), strength=1.0)
    rate = out[:, 25, 0] / ramp[:, 25, 0]
    torch.testing.assert_close(out[:, 15:26], rate[:, None, None] * ramp[:, 15:26], atol=1e-4, rtol=0)
    assert math.exp(-0.3) <= rate.min() < 0.95
    assert 1.05 < rate.max() <= math.exp(0.3)


def test_a_warp_multiplies_frequencies(only):
    """The band read at frequency f is that of a multiple of f; the lowest are left out, where look-up is coarse."""
    only(WARP=0.3)
    base = _augment_audio._MEL_BEND
    axis = torch.linspace(0, 1, 64)
    out = augment(axis.expand(8, 5, 64), _seed(), strength=1.0)[:, 0]
    frequencies = (base**out - 1) / (base**axis - 1)
    inner = frequencies[:, 24:48]
    assert (inner.max(1).values / inner.min(1).values).max() < 1.02
    assert math.exp(-0.3) * 0.99 <= inner.min() < 0.9
    assert 1.1 < inner.max() <= math.exp(0.3) * 1.01


def test_masks_hide_whole_frames_and_bands(only):
    only(MASKED_FRAMES=0.5, MASKED_BANDS=0.5)
    features = _features()
    out = augment(features, _seed(), strength=1.0)
    mean = features.mean((1, 2), keepdim=True).expand_as(features)
    hidden = (out - mean).abs() < 1e-5
    torch.testing.assert_close(out[~hidden], features[~hidden], atol=1e-3, rtol=0)
    rows, columns = hidden.all(2, keepdim=True), hidden.all(1, keepdim=True)
    assert rows.any()
    assert columns.any()
    stray = hidden & ~rows & ~columns
    assert stray.float().mean() < 0.01


def test_noise_raises_the_quiet_and_spares_the_loud(only):
    only(FLOOR=3.0)
    features = _features()
    change = augment(features, _seed(), strength=1.0) - features
    loud = features > features.quantile(0.9)
    quiet = features < features.quantile(0.1)
    assert change.min() > -1e-3
    assert change[quiet].mean() > 3 * change[loud].mean()


def test_colour_is_the_same_in_every_frame(only):
    only(GAIN=0.5, TILT=0.5)
    features = _features()
    change = augment(features, _seed(), strength=1.0) - features
    assert change.std(1).max() < 1e-4 * change.std()
