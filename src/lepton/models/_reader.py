"""LSTM and GRU layers that read texts in one direction or both.

The backward direction reads each text reversed within its own length, so that padding comes last for both and no
answer depends on it. Shapes: B batch, T tokens, H hidden in each direction.
"""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from lepton.models import _sequence

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Reader(nn.Module):
    """Token vectors read by the recurrent layers: (B, T) to states (B, T, `width`), `width` = directions * H."""

    def __init__(
        self,
        vocabulary: int,
        *,
        cell: Callable[..., nn.RNNBase],
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
            states = _read(cast(nn.ModuleList, layer), self.dropout(states), turn)
        return states


def _read(layer: Iterable[nn.Module], states: Tensor, turn: Tensor) -> Tensor:
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
