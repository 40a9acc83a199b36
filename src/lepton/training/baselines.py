"""What anyone would try first: the majority class, and a linear model on simple features.

A score means little without one beside it. Each takes raw inputs and labels of the training records and gives a
function from raw inputs to answers, in the shape of the task's own.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from lepton.core.types import Arrays, Label, Record, Span

Answers = list[Any]
Predict = Callable[[Sequence[Record], Sequence[Arrays]], Answers]


def majority(records: Sequence[Record]) -> Predict:
    """The most frequent class for everything; no entity at all where labels are spans."""
    names = [record.label for record in records if isinstance(record.label, str)]
    answer = [{"label": Counter(names).most_common(1)[0][0], "score": 1.0}] if names else []
    return lambda asked, arrays: [list(answer) for _ in asked]


def linear(records: Sequence[Record], arrays: Sequence[Arrays], seed: int) -> tuple[str, Predict]:
    """A linear model on simple features of the modality: its description, and the function that answers."""
    if not all(isinstance(record.label, str) for record in records):
        return "each word its most frequent entity type in training", _memory(records)
    labels = [str(record.label) for record in records]
    if isinstance(records[0].raw, str):
        return _words(records, labels, seed)
    return _statistics(arrays, labels)


def _words(records: Sequence[Record], labels: Sequence[str], seed: int) -> tuple[str, Predict]:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LinearSVC(random_state=seed))
    model.fit([record.raw for record in records], labels)
    name = "linear SVM on TF-IDF of words (1-2) and characters (2-5)"
    return name, lambda asked, arrays: _certain(model.predict([record.raw for record in asked]))


def _statistics(arrays: Sequence[Arrays], labels: Sequence[str]) -> tuple[str, Predict]:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, C=0.01))
    model.fit(np.stack([_features(item) for item in arrays]), labels)
    seen = "pixels, edges and colours" if "image" in arrays[0] else "log-mel bands in eight slices of time"
    name = f"logistic regression on {seen}"
    return name, lambda asked, found: _certain(model.predict(np.stack([_features(item) for item in found])))


def _features(arrays: Arrays) -> np.ndarray:
    """Of an image its edges and colours; of a sound the mean log-mel spectrum of eight slices of time."""
    if "image" not in arrays:
        slices = np.array_split(arrays["features"], 8, axis=0)
        return np.concatenate([part.mean(axis=0) for part in slices])
    image = arrays["image"].astype(np.float32)
    small = _cells(_cells(image, 1), 2)
    colours = [np.histogram(channel, bins=16, range=(0, 255))[0] / channel.size for channel in image]
    return np.concatenate([small.ravel() / 255, _edges(image.mean(axis=0)), *colours])


def _cells(values: np.ndarray, axis: int, count: int = 8) -> np.ndarray:
    """Means over at most `count` equal parts of an axis."""
    parts = np.array_split(values, min(count, values.shape[axis]), axis=axis)
    return np.stack([part.mean(axis=axis) for part in parts], axis=axis)


def _edges(grey: np.ndarray) -> np.ndarray:
    """Histograms of oriented gradients, nine directions in 8 x 8 cells, each of length 1 (Dalal and Triggs 2005)."""
    down, right = np.gradient(grey)
    strength, angle = np.hypot(down, right), np.arctan2(down, right) % np.pi
    bins = np.minimum((angle / np.pi * 9).astype(int), 8)
    layers = np.stack([strength * (bins == index) for index in range(9)])
    cells = _cells(_cells(layers, 1), 2)
    return (cells / (np.linalg.norm(cells, axis=0, keepdims=True) + 1e-3)).ravel()


def _certain(names: Sequence[str]) -> Answers:
    return [[{"label": str(name), "score": 1.0}] for name in names]


def _memory(records: Sequence[Record]) -> Predict:
    """Each word gets the entity type it most often had in training."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for start, word in _split(str(record.raw)):
            seen[word.lower()][_type_at(record.label, start)] += 1
    known = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    return lambda asked, arrays: [_entities(str(record.raw), known) for record in asked]


def _entities(text: str, known: dict[str, str]) -> Answers:
    found = ((start, word, known.get(word.lower(), "")) for start, word in _split(text))
    return [
        {"entity_group": kind, "score": 1.0, "word": word, "start": start, "end": start + len(word)}
        for start, word, kind in found
        if kind
    ]


def _split(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        found.append((start, word))
        start += len(word)
    return found


def _type_at(label: Label, place: int) -> str:
    spans = [Span(*span) for span in label or () if not isinstance(span, str)]
    return next((span.label for span in spans if span.start <= place < span.end), "")
