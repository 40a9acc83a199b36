"""CRNN: convolutions that look at short pieces of sound, then a bidirectional GRU that reads them in order.

Arik et al., "Convolutional Recurrent Neural Networks for Small-Footprint Keyword Spotting", 2017; the frames are
weighed by learned attention before the head. Shapes: B batch, T frames, M mel bands, K channels, H hidden, C classes.
"""

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.models._audio import bands_of, channels_last, check
from lepton.models._convolution import ACTIVATIONS, Activation
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled, scaled
from lepton.models._shape import Shape

TRANSFORMS = {"audio": "logmel"}
OBJECTIVES = {"audio-classification": CLASSES}
TRAIN = {
    "batch": 64,
    "lr": 3e-3,
    "weight_decay": 0.02,
    "schedule": "cosine",
    "warmup": 0.15,
    "clip": 5.0,
    "smoothing": 0.1,
    "mixup": 0.2,
    "ema": 0.99,
}
AUTO = ({"preset": "small"},)
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": {"widths": [8, 16, 24], "kernel": 3, "hidden": 24, "layers": 1, "dropout": 0.1},
        "small": {"widths": [16, 32, 48], "kernel": 3, "hidden": 48, "layers": 1, "dropout": 0.3},
        "large": {"widths": [32, 64, 96], "kernel": 3, "hidden": 128, "layers": 2, "dropout": 0.3},
    }
)


def build(
    shape: Shape,
    *,
    preset: Literal["tiny", "small", "large"] = "small",
    widths: Annotated[list[int], Range(1, 2048)] | None = None,
    kernel: Annotated[int, Range(1, 15)] | None = None,
    hidden: Annotated[int, Range(1, 2048)] | None = None,
    layers: Annotated[int, Range(1, 8)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
    activation: Activation = "silu",
) -> nn.Module:
    """Make a CRNN whose `forward` takes features (B, T, M) and gives logits (B, C).

    `widths` are the channels of the convolutions, each of which halves the bands; the first also halves the frames.
    `hidden` is the GRU's width in each direction, `layers` its depth. A setting of None is the preset's.
    Raises UserError for data that are not features, an even kernel and empty widths.
    """
    given = {"widths": widths, "kernel": kernel, "hidden": hidden, "layers": layers, "dropout": dropout}
    full = filled(PRESETS, {"preset": preset, **given}, "small")
    check(full)
    net = _RecurrentNet((bands_of(shape), shape.outputs), act=ACTIVATIONS[activation], **full)
    channels_last(net)
    return net


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Give the settings with every width, the GRU's included, multiplied by `fraction` (0 to 1), at least 8 each."""
    full = filled(PRESETS, settings, "small")
    widths = [scaled(width, fraction) for width in full["widths"]]
    return {**settings, "widths": widths, "hidden": scaled(full["hidden"], fraction)}


class _RecurrentNet(nn.Module):
    def __init__(
        self,
        ends: tuple[int, int],
        *,
        act: type[nn.Module],
        widths: list[int],
        kernel: int,
        hidden: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        bands, outputs = ends
        self.convolutions = nn.Sequential(*_convolutions(widths, kernel, act))
        for _ in widths:
            bands = (bands + 1) // 2
        self.before = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.recurrent = nn.GRU(
            widths[-1] * bands, hidden, layers, batch_first=True, bidirectional=True, dropout=between
        )
        self.weigh = nn.Linear(2 * hidden, 1, bias=False)  # a softmax cancels a bias
        self.after = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Give logits (B, C) of scaled features (B, T, M)."""
        maps = self.convolutions(features.unsqueeze(1))
        frames = self.before(maps.permute(0, 2, 1, 3).flatten(2))
        states, _ = self.recurrent(frames)
        weights = torch.softmax(self.weigh(states), 1)
        logits: Tensor = self.head(self.after((weights * states).sum(1)))
        return logits


def _convolutions(widths: list[int], kernel: int, act: type[nn.Module]) -> list[nn.Module]:
    strides = [(2, 2), *[(1, 2)] * (len(widths) - 1)]
    pairs = zip(pairwise([1, *widths]), strides, strict=True)
    return [_convolution(pair, kernel, stride=stride, act=act) for pair, stride in pairs]


def _convolution(
    channels: tuple[int, int], kernel: int, *, stride: tuple[int, int], act: type[nn.Module]
) -> nn.Sequential:
    before, after = channels
    layer = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), act())
