"""Residual networks in the CIFAR style and the ImageNet style (https://arxiv.org/abs/1512.03385).

Also the nine-layer one that trains fast, whose stages pool and then add (D. Page, "How to train your ResNet", 2018).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.models._convolution import (
    ACTIVATIONS,
    Activation,
    Mean,
    Same,
    image_shape,
    initialise,
    narrowed,
    stem_kind,
)
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled
from lepton.models._shape import Shape

TRANSFORMS = {"image": "image"}
OBJECTIVES = {"image-classification": CLASSES}
TRAIN = {"lr": 1e-2, "batch": 64, "weight_decay": 0.05}
AUTO = ({"preset": "resnet8"}, {"preset": "resnet9"})

_COMMON: Mapping[str, Any] = {"activation": "relu", "dropout": 0.0, "stem": "auto"}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "resnet9": {**_COMMON, "block": "pooled", "blocks": [1, 0, 1], "width": 16},
    "resnet8": {**_COMMON, "block": "basic", "blocks": [1, 1, 1], "width": 16},
    "resnet20": {**_COMMON, "block": "basic", "blocks": [3, 3, 3], "width": 16},
    "resnet10": {**_COMMON, "block": "basic", "blocks": [1, 1, 1, 1], "width": 32},
    "resnet18": {**_COMMON, "block": "basic", "blocks": [2, 2, 2, 2], "width": 64},
    "resnet34": {**_COMMON, "block": "basic", "blocks": [3, 4, 6, 3], "width": 64},
    "resnet50": {**_COMMON, "block": "bottleneck", "blocks": [3, 4, 6, 3], "width": 64},
}


def build(
    shape: Shape,
    *,
    preset: Literal["resnet9", "resnet8", "resnet20", "resnet10", "resnet18", "resnet34", "resnet50"] = "resnet9",
    block: Literal["basic", "bottleneck", "pooled"] | None = None,
    blocks: Annotated[list[int] | None, Range(0, 64)] = None,
    width: Annotated[int | None, Range(1, 1024)] = None,
    stem: Literal["auto", "keep", "half", "quarter"] | None = None,
    activation: Activation | None = None,
    dropout: Annotated[float | None, Range(0, 0.9)] = None,
) -> nn.Module:
    """Build a stem, one stage for each of `blocks` (how many blocks it has), the mean over the image, and the head.

    It takes (B, C, H, W) floats and gives (B, outputs) logits. The stem has `width` channels, and each stage doubles
    them as it halves the image; the first stage of "basic" and "bottleneck" does neither. "pooled" stages are
    a convolution, a max pool and that many residual blocks. `stem`: "keep" is a 3x3 convolution, "half" has stride 2,
    "quarter" is 7x7 with stride 2 and a max pool, "auto" goes by the size of the images. `dropout` comes before the
    head. What is left out is the preset's.
    """
    given = {
        "block": block,
        "blocks": blocks,
        "width": width,
        "stem": stem,
        "activation": activation,
        "dropout": dropout,
    }
    return _ResNet(shape, filled(PRESETS, given, preset))


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Give the settings with all layers at `fraction` (0 to 1) of their width; the depth stays."""
    full = filled(PRESETS, settings, "resnet9")
    return {**settings, "width": narrowed(full["width"], fraction)}


class _ResNet(nn.Sequential):
    def __init__(self, shape: Shape, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.stem = _stem(shape, settings)
        self.stages, outputs = _stages(settings)
        self.gather = Mean()
        self.dropout = nn.Dropout(settings["dropout"])
        self.head = nn.Linear(outputs, shape.outputs)
        initialise(self)


class _Residual(nn.Module):
    """Two or three convolutions whose output is added to the input, projected where shapes differ."""

    def __init__(self, path: nn.Module, shortcut: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.path, self.shortcut, self.last = path, shortcut, last

    def forward(self, maps: Tensor) -> Tensor:
        return cast(Tensor, self.last(self.path(maps) + self.shortcut(maps)))


def _stem(shape: Shape, settings: Mapping[str, Any]) -> nn.Sequential:
    channels, kind = image_shape(shape)[0], stem_kind(settings["stem"], shape)
    width, activation = settings["width"], settings["activation"]
    if kind == "quarter":
        return nn.Sequential(
            Same(channels, width, kernel=7, stride=2, activation=activation), nn.MaxPool2d(3, 2, padding=1)
        )
    return nn.Sequential(Same(channels, width, stride=2 if kind == "half" else 1, activation=activation))


def _stages(settings: Mapping[str, Any]) -> tuple[nn.Sequential, int]:
    """Give the stages, and the channels that leave the last."""
    make = {"basic": _basic, "bottleneck": _bottleneck}.get(settings["block"])
    parts: list[nn.Module] = []
    inputs = settings["width"]
    for index, count in enumerate(settings["blocks"]):
        stride = 1 if index == 0 else 2
        if make is None:
            parts.append(_pooled(inputs, count, settings["activation"]))
            inputs *= 2
            continue
        for place in range(count):
            width = settings["width"] * 2**index
            parts.append(make((inputs, width), stride if place == 0 else 1, settings["activation"]))
            inputs = width * (4 if settings["block"] == "bottleneck" else 1)
    return nn.Sequential(*parts), inputs


def _pooled(inputs: int, count: int, activation: str) -> nn.Sequential:
    outputs = 2 * inputs
    blocks = [_inner(outputs, activation) for _ in range(count)]
    return nn.Sequential(Same(inputs, outputs, activation=activation), nn.MaxPool2d(2, ceil_mode=True), *blocks)


def _inner(width: int, activation: str) -> _Residual:
    """Build the nine-layer network's block, which adds what is already activated."""
    path = nn.Sequential(Same(width, width, activation=activation), Same(width, width, activation=activation))
    return _Residual(path, nn.Identity(), nn.Identity())


def _basic(widths: tuple[int, int], stride: int, activation: str) -> _Residual:
    inputs, outputs = widths
    path = nn.Sequential(
        Same(inputs, outputs, stride=stride, activation=activation), Same(outputs, outputs, activation=None)
    )
    return _Residual(path, _shortcut(inputs, outputs, stride), ACTIVATIONS[activation]())


def _bottleneck(widths: tuple[int, int], stride: int, activation: str) -> _Residual:
    inputs, middle = widths
    path = nn.Sequential(
        Same(inputs, middle, kernel=1, activation=activation),
        Same(middle, middle, stride=stride, activation=activation),
        Same(middle, 4 * middle, kernel=1, activation=None),
    )
    return _Residual(path, _shortcut(inputs, 4 * middle, stride), ACTIVATIONS[activation]())


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return Same(inputs, outputs, kernel=1, stride=stride, activation=None)
