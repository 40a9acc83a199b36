"""How likely a plan that was trained a little will keep its answers, and what it would gain."""

import math
from dataclasses import dataclass, field

from lepton.stages import _proposals, _trials
from lepton.stages._trials import Bench, Cost, Sketch, Trial

_HOPE = 0.5
"""How far a plan may be behind before training, in shares of the reference's errors, before little is hoped of it."""

_FAR = 2.0
"""A plan that is expected to drop by more than this many times the limit is trained in full when all else is done."""

_SIZE = 0.25
"""What a halving of the size is worth, in halvings of the time."""


@dataclass
class Hopes:
    """What is hoped of plans beside a `reference`, and what training in full has taught about each kind so far.

    Networks that start anew are one kind, those that were cut from the reference the other.
    """

    bench: Bench
    reference: Trial
    _left_over: dict[bool, float] = field(default_factory=dict)

    @property
    def limit(self) -> float:
        """The drop that is allowed."""
        return _trials.allowed_drop(self.bench.contract, len(self.bench.truth))[0]

    def promise(self, metric: float, cost: Cost, *, best: float, effort: float) -> tuple[float, float]:
        """A key by which the most promising plan goes first: by what it would gain times how likely it seems.

        It seems the less likely the further its `metric` is behind the `best` of its kind after the same `effort`,
        measured by the drop that is allowed, by how far that best is behind the reference and, the less it was trained
        the more so, by the reference's own errors. Gains count by half octaves, so that noise in times does not decide;
        of equals the smaller goes first.
        """
        own = self.reference.metric
        behind = max(min(best, own) - metric, 0.0)
        scale = self.limit + max(own - best, 0.0) + _HOPE * (1 - effort) * max(1 - own, 0.0)
        gain = _octaves(1 / cost.ratio.value) + _SIZE * _octaves(self.reference.size_mb / cost.size_mb)
        return -round(math.exp(-behind / max(scale, 1e-6)) * max(gain, 0.1), 1), cost.size_mb

    def learn(self, sketch: Sketch, *, before: float, after: float) -> None:
        """Note that training in full took a plan from the metric `before`, at its last rung, to `after`."""
        distance = self.reference.metric - before
        if distance > 0:
            kind = _proposals.anew(sketch.plan)
            left = max(self.reference.metric - after, 0.0) / distance
            self._left_over[kind] = min(left, self._left_over.get(kind, 1.0))

    def is_far_off(self, sketch: Sketch, metric: float) -> bool:
        """Whether a plan at `metric` would miss the drop clearly if training brought it as far as the best of its kind.

        False while nothing of its kind was trained in full.
        """
        left = self._left_over.get(_proposals.anew(sketch.plan), 0.0)
        return left * (self.reference.metric - metric) > _FAR * self.limit


def _octaves(times: float) -> float:
    """How often something was halved, to the next half."""
    return round(2 * math.log2(times)) / 2
