"""How a model learns a task: its targets, its loss and the decode that reads its outputs.

Shapes: B batch, T tokens, C classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor
from torch.nn import functional

from lepton.core.types import Arrays, Label, Span

IGNORED = -100
"""Target of a position that has no say in the loss (torch's own default)."""


class Loss(Protocol):
    """A mean over the batch."""

    def __call__(self, logits: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
        """Give the loss of `logits` against `targets`, with label smoothing and class weights."""


@dataclass(frozen=True)
class Objective:
    """`outputs(classes)` is the width of the head, `target` one sample's target, `loss` a mean over the batch.

    `loss(logits, targets, smoothing, weights)` takes class-index targets, or (B, C) probabilities where the
    objective can be mixed (`mixes`). `decode` is the task's decode by name.
    """

    outputs: Callable[[Sequence[str]], int]
    target: Callable[[Label, Arrays, Sequence[str]], np.ndarray]
    loss: Loss
    decode: str
    mixes: bool = False


def class_target(label: Label, arrays: Arrays, classes: Sequence[str]) -> np.ndarray:
    """The index of the class, int64 without axes."""
    return np.array(classes.index(str(label)), np.int64)


def class_loss(logits: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Cross-entropy of (B, C) logits with (B,) indices or (B, C) probabilities."""
    return functional.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)


def tag_names(classes: Sequence[str]) -> list[str]:
    """BIO tags of the entity types: O, B-x, I-x, ..."""
    return ["O", *(f"{mark}-{name}" for name in classes for mark in "BI")]


def tag_target(label: Label, arrays: Arrays, classes: Sequence[str]) -> np.ndarray:
    """BIO tag index for each of T tokens, from `arrays["offsets"]` (T, 2); special tokens (0, 0) are ignored."""
    tags = tag_names(classes)
    offsets = arrays["offsets"]
    out = np.zeros(len(offsets), np.int64)
    out[offsets[:, 0] == offsets[:, 1]] = IGNORED
    spans = [Span(*span) for span in label] if not isinstance(label, str | None) else []
    for span in spans:
        inside = np.flatnonzero((offsets[:, 0] < span.end) & (offsets[:, 1] > span.start))
        out[inside] = tags.index(f"I-{span.label}")
        out[inside[:1]] = tags.index(f"B-{span.label}")
    return out


def tag_loss(logits: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Cross-entropy over the tokens of (B, T, C) logits; IGNORED positions do not count."""
    flat = logits.flatten(0, 1)
    return functional.cross_entropy(
        flat, targets.flatten(), weight=weights, label_smoothing=smoothing, ignore_index=IGNORED
    )


CLASSES = Objective(outputs=len, target=class_target, loss=class_loss, decode="softmax", mixes=True)
TAGS = Objective(outputs=lambda classes: 2 * len(classes) + 1, target=tag_target, loss=tag_loss, decode="bio")
