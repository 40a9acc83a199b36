"""The linear head that explains features best: multinomial logistic regression with an L2 penalty.

Shapes: N records, D features, C classes.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lepton.adapt._adapted import Rows

STRENGTHS = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
"""Strengths of the penalty that cross-validation compares, the strongest first, since each begins at the one before."""

_UNTRIED = 0.003
"""The strength where no class has two records, so that nothing can be held out."""

_FOLDS = 5
_ROUGH = 1e-4
"""The slope that is flat enough to compare strengths by."""

_MANY = 2000
"""With more records than this, one fold tells enough."""


def logistic(
    features: Tensor, targets: Tensor, *, outputs: int, weights: Tensor | None = None, strength: float | None = None
) -> Rows:
    """The head with the least mean cross-entropy plus `strength` / 2 times its squared weights, biases left out.

    Weights count on features of mean 0 and deviation 1; what is returned takes the features as they are. Where no
    `strength` is given, it is the one with the least cross-entropy on held-out fifths of each class. `weights` are
    those of the classes.
    """
    mean, spread = features.double().mean(0), features.double().std(0, correction=0)
    spread[spread < 1e-6] = 1.0
    scaled = (features.double() - mean) / spread
    known = _Problem(scaled, targets, weights)
    found = known.solved(_blank(scaled, outputs), strength or _chosen(known, outputs))
    rows, biases = found[:, :-1] / spread, found[:, -1]
    return rows.float(), (biases - rows @ mean).float()


class _Problem:
    """Records to be told apart; `weights` of the classes are None where each record counts the same."""

    def __init__(self, features: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        self.features, self.targets = features, targets
        self.weights = weights.to(features) if weights is not None else None

    def part(self, chosen: Tensor) -> "_Problem":
        return _Problem(self.features[chosen], self.targets[chosen], self.weights)

    def loss(self, head: Tensor) -> Tensor:
        """The mean cross-entropy of a head (C, D + 1), whose last column are the biases."""
        logits = functional.linear(self.features, head[:, :-1], head[:, -1])
        return functional.cross_entropy(logits, self.targets, weight=self.weights)

    def solved(self, start: Tensor, strength: float, *, slope: float = 1e-6) -> Tensor:
        """The head of the least penalised loss, by L-BFGS from `start`, to where no gradient is above `slope`."""
        head = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [head], max_iter=500, tolerance_grad=slope, tolerance_change=1e-9, line_search_fn="strong_wolfe"
        )

        def penalised() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss(head) + strength / 2 * head[:, :-1].square().sum()
            loss.backward()
            return loss

        optimizer.step(penalised)
        return head.detach()


def _blank(features: Tensor, outputs: int) -> Tensor:
    return features.new_zeros(outputs, features.shape[1] + 1)


def _chosen(known: _Problem, outputs: int) -> float:
    """The strength whose heads have the least loss on what they did not see."""
    parts = [(known.part(~held), known.part(held)) for held in _held_out(known.targets)]
    heads = [_blank(known.features, outputs) for _ in parts]
    best, least = _UNTRIED, math.inf
    for strength in STRENGTHS if parts else ():
        heads = [seen.solved(head, strength, slope=_ROUGH) for head, (seen, _) in zip(heads, parts, strict=True)]
        loss = sum(float(unseen.loss(head)) for head, (_, unseen) in zip(heads, parts, strict=True))
        if loss > least:
            break  # the loss falls to its least and rises again
        best, least = strength, loss
    return best


def _held_out(targets: Tensor) -> Sequence[Tensor]:
    """For each fold whether a record is held out; the records of a class are dealt out, single ones are never."""
    places, counts = torch.zeros_like(targets), torch.bincount(targets)
    for kind in targets.unique():
        places[targets == kind] = torch.arange(int(counts[kind]), device=targets.device)
    several = counts[targets] > 1
    folds = [several & (places % _FOLDS == fold) for fold in range(_FOLDS if len(targets) <= _MANY else 1)]
    return [held for held in folds if held.any()]
