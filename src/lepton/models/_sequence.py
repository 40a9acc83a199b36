"""Pooling and heads over sequences of tokens in which padding has no say.

Shapes: B batch, T tokens, D features.
"""

import torch
from torch import Tensor


def hide(states: Tensor, mask: Tensor) -> Tensor:
    """`states` (B, T, D) with zeros where `mask` (B, T) is 0."""
    return states * mask.unsqueeze(-1).to(states.dtype)


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that `mask` (B, T) keeps, (B, D); zeros where it keeps none."""
    count = mask.sum(1, keepdim=True).clamp(min=1).to(states.dtype)
    return hide(states, mask).sum(1) / count


def peak(states: Tensor, mask: Tensor) -> Tensor:
    """Largest value over the tokens that `mask` (B, T) keeps, (B, D)."""
    lowest = torch.finfo(states.dtype).min
    return states.masked_fill(mask.unsqueeze(-1) == 0, lowest).amax(1)
