"""DS-CNN: depthwise-separable convolutions over a spectrogram, small and quick on a processor.

Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers", 2017. Here a residual path runs past each block that
keeps its size. Shapes: B batch, T frames, M mel bands, C classes.
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
        "tiny": {"widths": [32, 32, 64], "stem_kernel": 5, "kernel": 3, "dropout": 0.1},
        "small": {"widths": [48, 64, 96, 128], "stem_kernel": 5, "kernel": 3, "dropout": 0.2},
        "large": {"widths": [64, 96, 128, 128, 160, 160], "stem_kernel": 7, "kernel": 3, "dropout": 0.3},
    }
)

_HALVINGS = 2


def build(
    shape: Shape,
    *,
    preset: Literal["tiny", "small", "large"] = "small",
    widths: Annotated[list[int], Range(1, 2048)] | None = None,
    stem_kernel: Annotated[int, Range(1, 15)] | None = None,
    kernel: Annotated[int, Range(1, 15)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
    activation: Activation = "silu",
) -> nn.Module:
    """Make a DS-CNN whose `forward` takes features (B, T, M) and gives logits (B, C).

    `widths` are the channels of the stem and of each block after it; a setting of None is the preset's. The stem
    halves both axes, and so do the first two blocks that widen. `stem_kernel` and `kernel` are in frames and bands.
    Raises UserError for data that are not features, an even kernel and empty widths.
    """
    given = {"widths": widths, "stem_kernel": stem_kernel, "kernel": kernel, "dropout": dropout}
    full = filled(PRESETS, {"preset": preset, **given}, "small")
    bands_of(shape)
    check(full)
    net = _DepthwiseNet(shape.outputs, act=ACTIVATIONS[activation], **full)
    channels_last(net)
    return net


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Give the settings with every width multiplied by `fraction` (0 to 1), at least 8 channels each."""
    widths = filled(PRESETS, settings, "small")["widths"]
    return {**settings, "widths": [scaled(width, fraction) for width in widths]}


class _DepthwiseNet(nn.Module):
    def __init__(
        self, outputs: int, *, act: type[nn.Module], widths: list[int], stem_kernel: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.stem = _convolution(1, widths[0], stem_kernel, stride=2, act=act)
        self.blocks = nn.Sequential(*_blocks(widths, kernel, act))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * widths[-1], outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Give logits (B, C) of scaled features (B, T, M)."""
        maps = self.blocks(self.stem(features.unsqueeze(1)))
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


class _Block(nn.Module):
    def __init__(self, before: int, after: int, *, kernel: int, stride: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.depthwise = _convolution(before, before, kernel, stride=stride, act=act, groups=before)
        self.pointwise = _convolution(before, after, 1, stride=1, act=act)
        self.keeps = before == after and stride == 1

    def forward(self, maps: Tensor) -> Tensor:
        """Filter each channel over time and bands, then mix the channels."""
        made: Tensor = self.pointwise(self.depthwise(maps))
        return maps + made if self.keeps else made


def _blocks(widths: list[int], kernel: int, act: type[nn.Module]) -> list[nn.Module]:
    """One block for each width after the first; the first `_HALVINGS` that widen halve both axes."""
    made: list[nn.Module] = []
    halved = 0
    for before, after in pairwise(widths):
        halves = after > before and halved < _HALVINGS
        halved += halves
        made.append(_Block(before, after, kernel=kernel, stride=1 + halves, act=act))
    return made


def _convolution(
    before: int, after: int, kernel: int, *, stride: int, act: type[nn.Module], groups: int = 1
) -> nn.Sequential:
    layer = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), act())
