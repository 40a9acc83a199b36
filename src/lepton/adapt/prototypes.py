"""Prototypes: the head says which class's mean a record is nearest to; nothing is trained in steps.

Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning" (2017); centred features of length 1 are those
of Wang et al., "SimpleShot: Revisiting Nearest-Neighbor Classification for Few-Shot Learning" (2019).
Shapes: N records, D features, C classes.
"""

from collections.abc import Collection
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Rows

_SCALES = torch.logspace(-2, 3, 101)


def adapt(network: nn.Module, head: Collection[str], *, distance: Literal["cosine", "euclidean"] = "cosine") -> Adapted:
    """Make the head's rows of the means of each class's features; the network stays as it is.

    "cosine": features less their mean over all records and of length 1, told by the angle to a class's mean;
    "euclidean": features as they are. Logits are scaled so that each record, held out of its mean, is foretold best.
    [train] has no say. Raises UserError where the head is not one dense layer.
    """
    _layers.needs_dense_head(network, head, "prototypes")
    _layers.freeze(network, head)
    return Adapted([], epochs=0, solve=partial(_nearest, distance=distance), still=_layers.batch_norms(network))


def _nearest(features: Tensor, targets: Tensor, *, outputs: int, weights: Tensor | None, distance: str) -> Rows:
    """The rows that tell the nearest mean; `weights` of the classes change no mean."""
    seen = features.double()
    centre = seen.mean(0) if distance == "cosine" else torch.zeros_like(seen[0])
    seen = seen - centre
    given = functional.normalize(seen) if distance == "cosine" else seen
    counts = torch.bincount(targets, minlength=outputs)[:, None]
    sums = torch.zeros(outputs, seen.shape[1], dtype=seen.dtype, device=seen.device).index_add_(0, targets, given)
    rows, biases = _rows(sums, counts, distance)
    logits = seen @ rows.T + biases
    others, other_biases = _rows(sums[targets] - given, counts[targets] - 1, distance)
    held_out = logits.scatter(1, targets[:, None], (seen * others).sum(1, keepdim=True) + other_biases[:, None])
    scale = _scale(held_out[counts[targets, 0] > 1], targets[counts[targets, 0] > 1])
    biases = torch.where(counts[:, 0] > 0, biases, logits.min())  # a class without records is never the nearest
    return (scale * rows).float(), (scale * (biases - rows @ centre)).float()


def _rows(sums: Tensor, counts: Tensor, distance: str) -> Rows:
    """Rows and biases whose logits rank the means as the distance does."""
    means = sums / counts.clamp_min(1)
    if distance == "cosine":
        return functional.normalize(means), torch.zeros_like(means[:, 0])
    return 2 * means, -means.square().sum(1)


def _scale(logits: Tensor, targets: Tensor) -> Tensor:
    """The factor on logits with the least cross-entropy, of a hundred; 1 where no class has two records."""
    if not len(logits):
        return torch.ones((), dtype=logits.dtype, device=logits.device)
    scales = _SCALES.to(logits) / logits.std().clamp_min(1e-12)
    losses = torch.stack([functional.cross_entropy(scale * logits, targets) for scale in scales])
    return scales[losses.argmin()]
