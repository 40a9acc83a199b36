"""Open-set answers: how much a sample looks like what the classes cover, and what is answered where that is too little.

Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017 (probability);
Liu et al., "Energy-based Out-of-distribution Detection", 2020 (energy). Shapes: B batch, C classes.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton.core.types import Arrays

SCORES = ("probability", "energy", "margin")
"""What likeness is taken from where logits are all there is; the first where nothing unknown is there to choose by."""

DISTANCE = "distance"
"""One more, where the graph has an output of this name."""


def likeness(outputs: Arrays, score: str, *, temperature: float = 1.0) -> np.ndarray:
    """How much samples look like what the classes cover, float64 (B,): higher is more, each by its own outputs.

    With z the logits (B, C) over the temperature T: "probability" is the largest softmax(z), "energy" T log sum exp(z),
    and "margin" the distance from the largest of z to the next. "distance" (B,) is what the graph itself says.
    """
    if score == DISTANCE:
        return np.asarray(outputs[DISTANCE], np.float64)
    scaled = np.asarray(outputs["logits"], np.float64) / temperature
    top = scaled.max(-1)
    if score == "margin":
        first_two = np.partition(scaled, -2, axis=-1)
        return np.asarray(first_two[..., -1] - first_two[..., -2])
    powers = np.exp(scaled - top[..., None]).sum(-1)
    return np.asarray(1 / powers if score == "probability" else temperature * (top + np.log(powers)))


def outcome(answer: Sequence[Mapping[str, Any]], like: float, abstain: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The answer with one more outcome, `abstain["label"]`: the first where `like` is below the threshold, else last.

    Its score is then the share of known samples that look more known, at least `keep`, and the classes share the rest
    by their probabilities. So scores add up to 1 and the chosen one has the highest. Where it keeps to the classes
    their scores stay as they are, and the outcome has 0.
    """
    label = abstain["label"]
    if like >= abstain["threshold"]:
        return [*answer, {"label": label, "score": 0.0}]
    rest = _tail(like, abstain)
    classes = [{"label": item["label"], "score": rest * item["score"]} for item in answer]
    return [{"label": label, "score": 1 - rest}, *classes]


def _tail(like: float, abstain: Mapping[str, Any]) -> float:
    """The share of known samples that look no more known: `tail` are known likenesses below the threshold, rising."""
    tail = abstain.get("tail") or ()
    return float((1 - abstain["keep"]) * (1 + bisect_right(tail, like)) / (1 + len(tail)))
