"""What the metrics of classification share: reading truth and answers as numbers.

Shapes: N records, C classes. An answer is the full list `[{"label", "score"}, ...]`, the chosen label first.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from lepton.core.types import Label, Span

Answer = Sequence[Mapping[str, Any]]
"""Labels with scores, the chosen one first; or the entities of a text."""

ABSTAINED = -1
"""The index that stands for no class."""


def chosen(answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """The index of each answer's chosen class, int64 (N,); ABSTAINED where it names none."""
    places = {name: index for index, name in enumerate(classes)}
    return np.array([places.get(answer[0]["label"], ABSTAINED) for answer in answers], np.int64)


def forced(answer: Answer, classes: Container[str]) -> Answer:
    """The answer as it is without abstaining: the classes alone, their scores adding up to 1 again."""
    known = [item for item in answer if item["label"] in classes]
    if answer[0]["label"] in classes:
        return known
    total = sum(item["score"] for item in known)
    return [{**item, "score": item["score"] / total} for item in known]


def true(truth: Sequence[Label], classes: Sequence[str]) -> np.ndarray:
    """The index of each true class, int64 (N,); len(classes) for a class that the model does not know."""
    places = {name: index for index, name in enumerate(classes)}
    return np.array([places.get(str(label), len(classes)) for label in truth], np.int64)


def scores(answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """The score of each class in the order of `classes`, float64 (N, C), as it is without abstaining."""
    places = {name: index for index, name in enumerate(classes)}
    out = np.zeros((len(answers), len(classes)))
    for row, answer in zip(out, answers, strict=True):
        for item in forced(answer, places):
            row[places[item["label"]]] = item["score"]
    return out


def spans(label: Label) -> frozenset[Span]:
    """The entities of a true label; none where it has none."""
    return frozenset() if label is None or isinstance(label, str) else frozenset(Span(*span) for span in label)


def found_spans(answer: Answer) -> frozenset[Span]:
    """The entities of an answer."""
    return frozenset(Span(item["start"], item["end"], item["entity_group"]) for item in answer)
