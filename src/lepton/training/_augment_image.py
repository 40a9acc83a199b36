"""Random changes to batches of images that leave their meaning: shift, turn, zoom, mirror, light, colour, holes.

Shapes: B batch, C channels, H height, W width. Everything is drawn from one generator, so a seed fixes it.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_TURN = math.radians(20)
_ZOOM, _STRETCH = 0.35, 0.2
_SHIFT = 0.12
_LIGHT, _COLOUR = 0.35, 0.5
_HOLE = 0.4


def augment(images: Tensor, generator: torch.Generator, *, strength: float, flip: bool | None = None) -> Tensor:
    """Give a changed copy of (B, C, H, W) pixels from 0 to 255 (uint8 or float), as float32 in the same range.

    `strength`, 0 (nothing but the mirror) to 1, scales every change: a turn of up to 20 degrees, zoom by up to
    exp(0.35), stretch by exp(0.2), shift by 12 % of the side, brightness and contrast by 35 %, saturation by 50 %
    (colour only), and in half of the images a hole of up to 40 % of the side, filled with the image's mean (cutout,
    https://arxiv.org/abs/1708.04552). What comes in from outside the image is its reflection. `flip` mirrors left and
    right with probability 1/2; left open it does so in colour images alone, since mirrored digits and letters are
    others. Equal generators give equal results; the generator lives on the images' device.
    """
    pixels = images.to(torch.float32)
    if not len(images):
        return pixels
    mirror = images.shape[1] == 3 if flip is None else flip
    moved = _move(pixels, generator, (strength, mirror))
    return _cutout(_light(moved, generator, strength), generator, strength)


def _move(pixels: Tensor, generator: torch.Generator, how: tuple[float, bool]) -> Tensor:
    """Turn, zoom, stretch, shift and mirror in one bilinear look-up."""
    strength, mirror = how
    matrices = _matrices(_draw(pixels, generator, 5) * strength)
    if mirror:
        matrices[:, :, 0] *= _draw(pixels, generator, 1).sign()
    grid = functional.affine_grid(matrices, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)


def _matrices(draws: Tensor) -> Tensor:
    """(B, 2, 3) maps from places in the result to places in the source, both in [-1, 1], of five draws in [-1, 1]."""
    turn, zoom, stretch, right, down = draws.unbind(1)
    angle, wide, high = (
        turn * _TURN,
        (zoom * _ZOOM + stretch * _STRETCH).exp(),
        (zoom * _ZOOM - stretch * _STRETCH).exp(),
    )
    # A shift of 12 % of the side is 0.24 where the side is 2 long.
    across = torch.stack([angle.cos() * wide, -angle.sin() * high, 2 * _SHIFT * right], 1)
    along = torch.stack([angle.sin() * wide, angle.cos() * high, 2 * _SHIFT * down], 1)
    return torch.stack([across, along], 1)


def _light(pixels: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Change brightness, contrast around the image's mean, and in colour images the distance from grey."""
    bright, contrast, colour = (strength * _draw(pixels, generator, 3)).view(-1, 3, 1, 1, 1).unbind(1)
    if pixels.shape[1] == 3:
        grey = pixels.mean(1, keepdim=True)
        pixels = grey + (pixels - grey) * (1 + _COLOUR * colour)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    lit = (pixels - mean) * (1 + _LIGHT * contrast) + mean * (1 + _LIGHT * bright)
    return lit.clamp(0, 255)


def _cutout(pixels: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Fill a rectangle anywhere, cut by the border, with the image's mean, in half of the images."""
    y, x, tall, broad, chance = _draw(pixels, generator, 5).view(-1, 5, 1, 1, 1).unbind(1)
    height, width = pixels.shape[2:]
    rows = torch.linspace(-1, 1, height, device=pixels.device).view(1, 1, height, 1)
    columns = torch.linspace(-1, 1, width, device=pixels.device).view(1, 1, 1, width)
    inside = ((rows - y).abs() < strength * _HOLE * tall.abs()) & ((columns - x).abs() < strength * _HOLE * broad.abs())
    return torch.where(inside & (chance > 0), pixels.mean((1, 2, 3), keepdim=True), pixels)


def _draw(pixels: Tensor, generator: torch.Generator, count: int) -> Tensor:
    """(B, count) numbers, even between -1 and 1."""
    return torch.rand(len(pixels), count, generator=generator, device=pixels.device) * 2 - 1
