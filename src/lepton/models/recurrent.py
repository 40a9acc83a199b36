"""LSTM and GRU over tokens, in one direction or both.

The backward direction reads each text reversed within its own length, so that padding comes last for both and no
answer depends on it. Shapes: B batch, T tokens, D width, H hidden in each direction, C classes.
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
from lepton.models._shape import Shape

TRANSFORMS = {"text": "tokens"}
OBJECTIVES = {"text-classification": CLASSES, "token-classification": TAGS}
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": {"width": 64, "hidden": 48, "layers": 1, "dropout": 0.3},
        "small": {"width": 128, "hidden": 128, "layers": 1, "dropout": 0.5},
        "large": {"width": 256, "hidden": 256, "layers": 2, "dropout": 0.5},
    }
)
_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


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
    body = _Reader(shape.vocabulary, cell=_CELLS[cell], directions=1 + bidirectional, **full)
    if shape.task == "token-classification":
        return _Tagger(body, shape.outputs, full["dropout"])
    return _Classifier(body, shape.outputs, pool=pool, dropout=full["dropout"])


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings with the vectors and states multiplied by `fraction` (0 to 1), at least 8 each."""
    full = filled(PRESETS, settings, "small")
    return {**settings, **{name: scaled(full[name], fraction) for name in ("width", "hidden")}}


class _Reader(nn.Module):
    """Token vectors read by the recurrent layers: (B, T) to states (B, T, directions * H)."""

    def __init__(
        self,
        vocabulary: int,
        *,
        cell: type[nn.RNNBase],
        directions: int,
        width: int,
        hidden: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.dropout = nn.Dropout(dropout)
        self.width = directions * hidden
        widths = [width, *[self.width] * (layers - 1)]
        self.layers = nn.ModuleList(
            nn.ModuleList(cell(before, hidden, batch_first=True) for _ in range(directions)) for before in widths
        )

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        states = _sequence.hide(self.embed(input_ids), mask)
        turn = _reversal(mask)
        for layer in self.layers:
            states = _read(layer, self.dropout(states), turn)
        return states


class _Classifier(nn.Module):
    def __init__(self, body: _Reader, outputs: int, *, pool: str, dropout: float) -> None:
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
    def __init__(self, body: _Reader, outputs: int, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.width, outputs)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.body(input_ids, attention_mask)))


def _read(layer: nn.Module, states: Tensor, turn: Tensor) -> Tensor:
    forward, *backward = layer
    read = [forward(states)[0]]
    read += [_turned(cell(_turned(states, turn))[0], turn) for cell in backward]
    return torch.cat(read, -1)


def _reversal(mask: Tensor) -> Tensor:
    """(B, T): where each position lies when a text is reversed within its length; padding stays where it is.

    The length goes to the last token of the mask: those before it may be hidden.
    """
    place = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    length = (mask.to(torch.int64) * (place + 1)).amax(1, keepdim=True)
    return torch.where(place < length, length - 1 - place, place)


def _turned(states: Tensor, turn: Tensor) -> Tensor:
    return states.gather(1, turn.unsqueeze(-1).expand(-1, -1, states.shape[2]))
