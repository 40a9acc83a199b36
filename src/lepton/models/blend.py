"""A blend for texts: a linear model over n-grams, a TextCNN and an LSTM whose logits add up.

The linear part is fitted first and stays as it is; the two others read the tokens and are trained side by side, each
text by one of them, so that they err in different places. Small sets of sentences gain from it over each part alone.
Shapes: B batch, T tokens, N n-grams, C classes.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.core.types import Arrays
from lepton.models import _sequence
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled, scaled
from lepton.models._reader import CELLS, Reader
from lepton.models._shape import Shape
from lepton.models._wide import Wide
from lepton.models._windows import Windows

TRANSFORMS = {"text": "views"}
OBJECTIVES = {"text-classification": CLASSES}
TRAIN: Mapping[str, Any] = MappingProxyType({"epochs": 12})
AUTO: tuple[Mapping[str, Any], ...] = ({},)
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "small": {"width": 64, "filters": 48, "hidden": 64, "dropout": 0.4, "gain": 6.0},
        "large": {"width": 128, "filters": 100, "hidden": 128, "dropout": 0.5, "gain": 6.0},
    }
)

_KERNELS = [1, 2, 3, 4]


def build(
    shape: Shape,
    *,
    preset: Literal["small", "large"] = "large",
    width: Annotated[int, Range(1, 4096)] | None = None,
    filters: Annotated[int, Range(1, 4096)] | None = None,
    hidden: Annotated[int, Range(1, 4096)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
    gain: Annotated[float, Range(0.01, 100)] | None = None,
    cell: Literal["lstm", "gru"] = "lstm",
) -> nn.Module:
    """Make a blend whose `forward` takes the four arrays of "views" and gives logits (B, C).

    `width` is the size of a token's vector, `filters` the number of convolutions of each length (1 to 4 tokens),
    `hidden` the recurrent state in each direction. `gain` is how many logits a margin of one in the linear part
    counts. `dropout` is the share of features dropped in training. A setting of None is the preset's.
    """
    given = {"width": width, "filters": filters, "hidden": hidden, "dropout": dropout, "gain": gain}
    return _Blend(shape, cell=cell, **filled(PRESETS, {**given, "preset": preset}, preset))


def warm_start(body: nn.Module, samples: Sequence[Arrays], targets: Sequence[np.ndarray]) -> None:
    """Fit the linear part to the training samples in closed form; training then shapes the others."""
    if isinstance(body, _Blend):
        body.wide.solve(samples, targets, body.gain)


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings with vectors, filters and states multiplied by `fraction` (0 to 1), at least 8 each."""
    full = filled(PRESETS, settings, "large")
    return {**settings, **{name: scaled(full[name], fraction) for name in ("width", "filters", "hidden")}}


class _Blend(nn.Module):
    def __init__(
        self, shape: Shape, *, cell: str, width: int, filters: int, hidden: int, dropout: float, gain: float
    ) -> None:
        super().__init__()
        self.gain = gain
        self.wide = Wide(_ngrams(shape), shape.outputs)
        self.windows = Windows(
            shape.vocabulary, act=nn.ReLU, width=width, filters=filters, kernels=_KERNELS, dropout=dropout
        )
        self.reader = Reader(
            shape.vocabulary, cell=CELLS[cell], directions=2, width=width, hidden=hidden, layers=1, dropout=dropout
        )
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList(
            nn.Linear(size, shape.outputs) for size in (self.windows.width, 2 * self.reader.width)
        )

    def forward(self, *arrays: Tensor) -> Tensor:
        input_ids, attention_mask, ngrams, weights = arrays
        seen = self.heads[0](self.dropout(self.windows(input_ids, attention_mask)))
        read = self.heads[1](self.dropout(self._read(input_ids, attention_mask)))
        if self.wide.kept:
            return torch.where(torch.rand(len(seen), 1, device=seen.device) < 0.5, seen, read)
        return self.wide(ngrams, weights) + (seen + read) / 2

    def _read(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        states = self.reader(input_ids, mask)
        return torch.cat([_sequence.peak(states, mask), _sequence.mean(states, mask)], 1)


def _ngrams(shape: Shape) -> int:
    """How many n-gram ids there are, as the fitted transform says."""
    fitted = shape.settings["ngrams"]
    return int(fitted["vocabulary"]) if isinstance(fitted, Mapping) else int(str(fitted))
