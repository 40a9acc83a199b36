"""Augmentation of log-mel features: other speakers, other rooms, other microphones from the recordings at hand.

Every change is drawn for each recording by itself. Sizes are relative to the batch's own spread, so that it does not
matter whether features are in nepers or decibels. Shapes: B batch, T frames, M mel bands.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

_SHIFT = 0.10
_STRETCH = 0.25
_BEND = 0.03
_WARP = 0.20
_GAIN = 0.30
_TILT = 0.40
_NOISE = 0.10
_FLOOR = 0.5
_MASKED_FRAMES = 0.12
_MASKED_BANDS = 0.20
_MASKS = 2
_MEL_BEND = 8.0


def augment(features: Tensor, generator: Generator, *, strength: float) -> Tensor:
    """Give a changed copy of log-mel `features` (B, T, M); equal generators give equal results.

    `strength` from 0 (nothing changes) over 1 (usual) upwards scales how far each change may go: shift, stretch and
    bend in time; a warp of the bands as a shorter or longer vocal tract makes it (Jaitly and Hinton, "VTLP", 2013);
    gain and tilt; a noise floor; and masks over frames and bands (Park et al., "SpecAugment", 2019).
    """
    if strength <= 0:
        return features
    unit = features.std(correction=0).clamp_min(1e-6)
    draw = _Draw(features, generator, strength)
    moved = _move(features, draw)
    coloured = _colour(moved, draw, unit)
    return _mask(_noise(coloured, draw, unit), draw)


class _Draw:
    """Random numbers for one batch."""

    def __init__(self, features: Tensor, generator: Generator, strength: float) -> None:
        self.features = features
        self.generator = generator
        self.strength = strength

    def uniform(self, *tail: int) -> Tensor:
        """(B, *tail) in [0, 1)."""
        made = torch.rand(len(self.features), *tail, generator=self.generator, device=self.generator.device)
        return made.to(self.features)

    def around(self, size: float, *tail: int) -> Tensor:
        """(B, *tail) in [-size, size) times the strength."""
        return (2 * self.uniform(*tail) - 1) * size * self.strength

    def normal(self) -> Tensor:
        """Draw standard normal numbers in the shape of the features."""
        made = torch.randn(self.features.shape, generator=self.generator, device=self.generator.device)
        return made.to(self.features)


def _move(features: Tensor, draw: _Draw) -> Tensor:
    """Resample both axes at once; beyond the ends the outermost frame and band go on."""
    frames, bands = features.shape[1:]
    times, pitches = _time_map(frames, draw), _band_map(bands, draw)
    grid = torch.stack([pitches[:, None, :].expand(-1, frames, -1), times[:, :, None].expand(-1, -1, bands)], -1)
    moved = functional.grid_sample(features[:, None], grid, padding_mode="border", align_corners=True)
    return moved[:, 0]


def _time_map(frames: int, draw: _Draw) -> Tensor:
    """Where each frame is read, (B, T) in [-1, 1]: stretched about the middle, bent by one sine wave, shifted."""
    axis = torch.linspace(-1, 1, frames).to(draw.features)
    rate = torch.exp(draw.around(_STRETCH, 1))
    wave = torch.sin(math.pi * (axis * (1 + draw.uniform(1)) + 2 * draw.uniform(1)))
    return rate * axis + draw.around(_BEND, 1) * wave + draw.around(2 * _SHIFT, 1)


def _band_map(bands: int, draw: _Draw) -> Tensor:
    """Where each band is read, (B, M) in [-1, 1]: frequencies multiplied by a factor, seen on the mel axis."""
    axis = torch.linspace(0, 1, bands).to(draw.features)
    factor = torch.exp(draw.around(_WARP, 1))
    warped = torch.log1p(factor * (_MEL_BEND**axis - 1)) / math.log(_MEL_BEND)
    return 2 * warped - 1


def _colour(features: Tensor, draw: _Draw, unit: Tensor) -> Tensor:
    """Another level, slope and curve over the bands."""
    axis = torch.linspace(-1, 1, features.shape[2]).to(features)
    curve = draw.around(_TILT, 1, 1) * axis + draw.around(_TILT, 1, 1) * torch.cos(math.pi * axis)
    return features + unit * (curve + draw.around(_GAIN, 1, 1))


def _noise(features: Tensor, draw: _Draw, unit: Tensor) -> Tensor:
    """Raise the quietest parts to a floor, as noise does to a logarithm, and roughen everything a little."""
    low = features.amin((1, 2), keepdim=True)
    floor = low + unit * draw.uniform(1, 1) * _FLOOR * draw.strength
    rough = unit * _NOISE * draw.strength * draw.uniform(1, 1)
    return torch.maximum(features, floor) + rough * draw.normal()


def _mask(features: Tensor, draw: _Draw) -> Tensor:
    """Put the recording's mean over some runs of frames and of bands."""
    frames, bands = features.shape[1:]
    mean = features.mean((1, 2), keepdim=True)
    hidden = torch.zeros_like(features, dtype=torch.bool)
    for _ in range(_MASKS):
        hidden |= _run(frames, _MASKED_FRAMES, draw)[:, :, None] | _run(bands, _MASKED_BANDS, draw)[:, None, :]
    return torch.where(hidden, mean, features)


def _run(length: int, share: float, draw: _Draw) -> Tensor:
    """(B, length), true on one run of up to `share` times the strength (at most half) of the axis."""
    size = (draw.uniform(1) * min(share * draw.strength, 0.5) * length).floor()
    start = (draw.uniform(1) * (length - size + 1)).floor()
    axis = torch.arange(length).to(draw.features)
    return (axis >= start) & (axis < start + size)
