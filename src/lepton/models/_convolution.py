"""Parts that the image families share: activations, stems, convolution blocks and narrower widths.

Blocks are convolution, batch normalisation, activation in that order, so that they fold and quantise.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from lepton.core.errors import UserError
from lepton.models._shape import Shape

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "hardswish", "tanh", "elu"]

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
}


def image_shape(shape: Shape) -> tuple[int, int, int]:
    """Channels, height and width of the images. Raises UserError where there is none, or sizes that vary."""
    sizes = shape.inputs.get("image", ())
    if len(sizes) != 3 or min(sizes) < 1:
        raise UserError(
            "This model takes images of one fixed size",
            rule='Shape.inputs["image"] is (channels, height, width)',
            received=dict(shape.inputs),
            remedy="Choose a model for this kind of data",
        )
    channels, height, width = sizes
    return channels, height, width


def narrowed(width: int, fraction: float) -> int:
    """`width` times `fraction`, at least 1; a multiple of 8 from 16 on, which vector units like."""
    wanted = max(1, math.floor(width * fraction))
    return wanted if wanted < 16 else wanted - wanted % 8


def all_narrowed(widths: Sequence[int], fraction: float) -> list[int]:
    """`narrowed` on each."""
    return [narrowed(width, fraction) for width in widths]


_KEEP, _HALF = 40, 112
"""Image sides up to which a stem keeps the size, and halves it; larger ones are quartered as in the papers."""


def stem_kind(kind: str, shape: Shape) -> str:
    """Settle "auto" by the shorter side of the images: "keep", "half" or "quarter"."""
    side = min(image_shape(shape)[1:])
    auto = "keep" if side <= _KEEP else "half" if side <= _HALF else "quarter"
    return auto if kind == "auto" else kind


class Same(nn.Sequential):
    """Convolution with "same" padding, batch normalisation and activation: (B, C, H, W) to (B, outputs, H/s, W/s)."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, activation: str | None = "relu"
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        parts: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs)]
        super().__init__(*parts, *([ACTIVATIONS[activation]()] if activation else []))


class Mean(nn.Module):
    """Mean over height and width: (B, C, H, W) to (B, C)."""

    def forward(self, maps: Tensor) -> Tensor:
        """One number a channel."""
        return maps.mean(dim=(2, 3))


def initialise(model: nn.Module) -> None:
    """He's initialisation of the convolutions, in place (https://arxiv.org/abs/1502.01852)."""
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
