"""A bag of weighted word and character n-grams: each has a vector, their weighted sum is the text.

Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017. Without hidden features (`width` 0) it is a
linear model over TF-IDF features, a strong opponent on small data; with them, features that the classes share.
Both can run side by side and add up ("wide and deep", Cheng et al., 2016). Shapes: B batch, N n-grams, D width,
C classes.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.core.types import Arrays
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled, scaled
from lepton.models._shape import Shape
from lepton.models._wide import Wide, total

TRANSFORMS = {"text": "ngrams"}
OBJECTIVES = {"text-classification": CLASSES}
TRAIN: Mapping[str, Any] = MappingProxyType({"epochs": 6})
AUTO: tuple[Mapping[str, Any], ...] = ({},)
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "linear": {"width": 0, "hidden": 0, "dropout": 0.0, "direct": True},
        "small": {"width": 64, "hidden": 0, "dropout": 0.2, "direct": True},
        "large": {"width": 256, "hidden": 256, "dropout": 0.3, "direct": True},
    }
)

_GAIN = 6.0
"""Logits for a margin of one: as sure as a network trained beside it is."""


def build(
    shape: Shape,
    *,
    preset: Literal["linear", "small", "large"] = "linear",
    width: Annotated[int, Range(0, 4096)] | None = None,
    hidden: Annotated[int, Range(0, 4096)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
    direct: bool | None = None,
) -> nn.Module:
    """Make a bag whose `forward` takes ngrams (B, N) and weights (B, N) and gives logits (B, C).

    `width` is the size of an n-gram's vector (0: none), `hidden` that of a layer after the sum (0: none). `direct`
    adds a weight for each n-gram and class. `dropout` is the share of the summed features dropped in training. A
    setting of None is the preset's.
    """
    given = {"preset": preset, "width": width, "hidden": hidden, "dropout": dropout, "direct": direct}
    return _Bag(shape, **filled(PRESETS, given, preset))


def warm_start(body: nn.Module, samples: Sequence[Arrays], targets: Sequence[np.ndarray]) -> None:
    """Fit the direct part to the training samples in closed form; training then shapes the hidden part."""
    if isinstance(body, _Bag) and body.direct is not None:
        body.direct.solve(samples, targets, _GAIN)


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings with both widths multiplied by `fraction` (0 to 1); a model that only is linear stays as it is."""
    full = filled(PRESETS, settings, "linear")
    if not full["width"]:
        return dict(settings)
    widths = {name: scaled(full[name], fraction) if full[name] else 0 for name in ("width", "hidden")}
    return {**settings, **widths}


class _Bag(nn.Module):
    def __init__(self, shape: Shape, *, width: int, hidden: int, dropout: float, direct: bool) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape.outputs))
        self.direct = Wide(shape.vocabulary, shape.outputs) if direct or not width else None
        self.shared = nn.Embedding(shape.vocabulary, width) if width else None
        self.head = _head((width, hidden, shape.outputs), dropout) if width else None
        if self.shared is not None:
            nn.init.normal_(self.shared.weight, std=0.1)

    def forward(self, ngrams: Tensor, weights: Tensor) -> Tensor:
        logits = self.bias.expand(len(ngrams), -1)
        if self.shared is not None and self.head is not None:
            logits = logits + self.head(total(self.shared(ngrams), weights))
            if self.direct is not None and self.direct.kept:
                return logits  # what is solved already would leave the hidden part nothing to learn
        return logits if self.direct is None else logits + self.direct(ngrams, weights)


def _head(widths: tuple[int, int, int], dropout: float) -> nn.Sequential:
    width, hidden, outputs = widths
    layers: list[nn.Module] = [nn.Dropout(dropout)]
    if hidden:
        layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden or width, outputs, bias=False))
