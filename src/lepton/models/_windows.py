"""Convolutions of several lengths over token vectors, the strongest answer of each filter (Kim, 2014).

Shapes: B batch, T tokens, D width, F filters of one length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lepton.models import _sequence


class Windows(nn.Module):
    """Features (B, `width`) of a text: F filters of each of the `kernels`' lengths; zeros stand beyond its ends."""

    def __init__(
        self, vocabulary: int, *, act: type[nn.Module], width: int, filters: int, kernels: list[int], dropout: float
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.kernels = kernels
        self.windows = nn.ModuleList(nn.Conv1d(width, filters, kernel) for kernel in kernels)
        self.act = act()
        self.dropout = nn.Dropout(dropout)
        self.width = filters * len(kernels)

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        rows = _sequence.hide(self.dropout(self.embed(input_ids)), mask).transpose(1, 2)
        pairs = zip(self.windows, self.kernels, strict=True)
        answers = [window(functional.pad(rows, ((size - 1) // 2, size // 2))) for window, size in pairs]
        return torch.cat([_sequence.peak(self.act(each).transpose(1, 2), mask) for each in answers], 1)
