"""Inception modules with batch normalisation: GoogLeNet (https://arxiv.org/abs/1409.4842) and smaller ones."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.models._convolution import Activation, Mean, Same, image_shape, initialise, narrowed, stem_kind
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled
from lepton.models._shape import Shape

TRANSFORMS = {"image": "image"}
OBJECTIVES = {"image-classification": CLASSES}
TRAIN = {"lr": 1e-2, "batch": 64, "weight_decay": 0.05}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"modules": [2, 2], "width": 0.25, "kernel": 5, "stem": "auto", "activation": "relu", "dropout": 0.1},
    "googlenet": {
        "modules": [2, 5, 2],
        "width": 1.0,
        "kernel": 5,
        "stem": "auto",
        "activation": "relu",
        "dropout": 0.4,
    },
}

_TABLE = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Table 1 of the paper, rows 3a to 5b: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection."""


def build(
    shape: Shape,
    *,
    preset: Literal["small", "googlenet"] = "small",
    modules: Annotated[list[int] | None, Range(1, 16)] = None,
    width: Annotated[float | None, Range(0.03, 4)] = None,
    kernel: Literal[3, 5, 7] | None = None,
    stem: Literal["auto", "keep", "half", "quarter"] | None = None,
    activation: Activation | None = None,
    dropout: Annotated[float | None, Range(0, 0.9)] = None,
) -> nn.Module:
    """Build a stem, stages of Inception modules with a max pool between them, the mean over the image, and the head.

    It takes (B, C, H, W) floats and gives (B, outputs) logits. `modules`: how many each stage has; `width` multiplies
    all channels of the paper's table (a stage longer than the table's repeats its last row), `kernel` is the wide
    branch's. `stem`: "quarter" is the paper's (7x7 with stride 2, pool), "half" starts with a 3x3 of stride 2, "keep"
    with stride 1, "auto" goes by the size of the images. What is left out is the preset's.
    """
    given = {
        "modules": modules,
        "width": width,
        "kernel": kernel,
        "stem": stem,
        "activation": activation,
        "dropout": dropout,
    }
    return _Inception(shape, filled(PRESETS, given, preset))


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Give the settings with all channels at `fraction` (0 to 1) of their number."""
    full = filled(PRESETS, settings, "small")
    return {**settings, "width": max(0.03, full["width"] * fraction)}


class _Inception(nn.Sequential):
    def __init__(self, shape: Shape, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.stem, inputs = _stem(shape, settings)
        self.stages, outputs = _stages(inputs, settings)
        self.gather = Mean()
        self.dropout = nn.Dropout(settings["dropout"])
        self.head = nn.Linear(outputs, shape.outputs)
        initialise(self)


class _Module(nn.Module):
    """Four branches side by side: 1x1, 1x1 then 3x3, 1x1 then wide, pool then 1x1."""

    def __init__(self, inputs: int, row: list[int], settings: Mapping[str, Any]) -> None:
        super().__init__()
        one, reduce, three, wide_reduce, wide, pool = row
        kernel, activation = settings["kernel"], settings["activation"]
        self.one = Same(inputs, one, kernel=1, activation=activation)
        self.three = nn.Sequential(
            Same(inputs, reduce, kernel=1, activation=activation), Same(reduce, three, activation=activation)
        )
        self.wide = nn.Sequential(
            Same(inputs, wide_reduce, kernel=1, activation=activation),
            Same(wide_reduce, wide, kernel=kernel, activation=activation),
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), Same(inputs, pool, kernel=1, activation=activation))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.one(maps), self.three(maps), self.wide(maps), self.pool(maps)], dim=1)


def _stem(shape: Shape, settings: Mapping[str, Any]) -> tuple[nn.Sequential, int]:
    """Give the layers before the first module, and their channels."""
    channels, kind = image_shape(shape)[0], stem_kind(settings["stem"], shape)
    activation = settings["activation"]
    first, second = narrowed(64, settings["width"]), narrowed(192, settings["width"])
    if kind == "keep":
        return nn.Sequential(Same(channels, first, activation=activation)), first
    opening = Same(channels, first, kernel=3 if kind == "half" else 7, stride=2, activation=activation)
    middle: list[nn.Module] = [nn.MaxPool2d(3, 2, padding=1)] if kind == "quarter" else []
    later = [Same(first, first, kernel=1, activation=activation), Same(first, second, activation=activation)]
    return nn.Sequential(opening, *middle, *later, nn.MaxPool2d(3, 2, padding=1)), second


def _stages(inputs: int, settings: Mapping[str, Any]) -> tuple[nn.Sequential, int]:
    """Give the modules with pools between the stages, and the channels that leave the last."""
    parts: list[nn.Module] = []
    for stage, count in enumerate(settings["modules"]):
        parts += [nn.MaxPool2d(3, 2, padding=1)] if stage else []
        for place in range(count):
            row = _row(stage, place, settings["width"])
            parts.append(_Module(inputs, row, settings))
            inputs = row[0] + row[2] + row[4] + row[5]
    return nn.Sequential(*parts), inputs


def _row(stage: int, place: int, width: float) -> list[int]:
    rows = _TABLE[min(stage, len(_TABLE) - 1)]
    return [narrowed(channels, width) for channels in rows[min(place, len(rows) - 1)]]
