"""LSTM and GRU over tokens, in one direction or both.

Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Cho et al., "Learning Phrase Representations using RNN
Encoder-Decoder", 2014. Shapes: B batch, T tokens, D width, H hidden in each direction, C classes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.models import _sequence
from lepton.models._objectives import CLASSES, TAGS
from lepton.models._presets import filled, scaled
from lepton.models._reader import CELLS, Reader
from lepton.models._shape import Shape

TRANSFORMS = {"text": "tokens"}
OBJECTIVES = {"text-classification": CLASSES, "token-classification": TAGS}
TRAIN: Mapping[str, Any] = MappingProxyType({"epochs": 12})
AUTO: tuple[Mapping[str, Any], ...] = ({},)
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": {"width": 64, "hidden": 48, "layers": 1, "dropout": 0.3},
        "small": {"width": 128, "hidden": 128, "layers": 1, "dropout": 0.5},
        "large": {"width": 256, "hidden": 256, "layers": 2, "dropout": 0.5},
    }
)


def build(
    shape: Shape,
    *,
    preset: Literal["tiny", "small", "large"] = "small",
    cell: Literal["lstm", "gru"] = "lstm",
    bidirectional: bool = True,
    pool: Literal["peak", "mean", "both"] = "both",
    width: Annotated[int, Range(1, 4096)] | None = None,
    hidden: Annotated[int, Range(1, 4096)] | None = None,
    layers: Annotated[int, Range(1, 8)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
) -> nn.Module:
    """Make a recurrent network over input_ids (B, T) and attention_mask (B, T).

    It gives logits (B, C), or (B, T, C) for token-classification. `width` is the size of a token's vector, `hidden`
    that of the state in each direction; `pool` is how the states become one vector. `dropout` is the share of features
    dropped in training. A setting of None is the preset's.
    """
    given = {"width": width, "hidden": hidden, "layers": layers, "dropout": dropout}
    full = filled(PRESETS, {**given, "preset": preset}, preset)
    body = Reader(shape.vocabulary, cell=CELLS[cell], directions=1 + bidirectional, **full)
    if shape.task == "token-classification":
        return _Tagger(body, shape.outputs, full["dropout"])
    return _Classifier(body, shape.outputs, pool=pool, dropout=full["dropout"])


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings with the vectors and states multiplied by `fraction` (0 to 1), at least 8 each."""
    full = filled(PRESETS, settings, "small")
    return {**settings, **{name: scaled(full[name], fraction) for name in ("width", "hidden")}}


class _Classifier(nn.Module):
    def __init__(self, body: Reader, outputs: int, *, pool: str, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.pools = [_sequence.peak, _sequence.mean] if pool == "both" else [getattr(_sequence, pool)]
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.width * len(self.pools), outputs)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.body(input_ids, attention_mask)
        pooled = torch.cat([pool(states, attention_mask) for pool in self.pools], 1)
        return self.head(self.dropout(pooled))


class _Tagger(nn.Module):
    def __init__(self, body: Reader, outputs: int, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.width, outputs)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.body(input_ids, attention_mask)))
