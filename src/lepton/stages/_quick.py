"""A quick model for comparing training sets: linear, on features that need no training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lepton.core.types import Record
from lepton.stages import _features

NAMES = {
    "text": "linear SVM on TF-IDF of n-grams",
    "image": "logistic regression on edges, brightness and colours",
    "audio": "logistic regression on bands in slices of time",
}
"""What the model of each modality is called."""


class Quick:
    """The model with the features (N, D) of all records that it will learn from or be asked about."""

    def __init__(self, records: Sequence[Record], modality: str, seed: int) -> None:
        """Look at the records once; no label is looked at."""
        describe = {"text": lambda: _features.grams(records)}
        describe["image"] = lambda: _features.looks(records, seed)
        describe["audio"] = lambda: _features.sounds(records, seed)
        self.features = describe[modality]()
        self.name = NAMES[modality]
        self._sparse = modality == "text"

    def answers(self, lesson: tuple[np.ndarray, Sequence[str]], asked: np.ndarray, seed: int) -> list[Any]:
        """Learn from the records at the places `lesson[0]` by the labels `lesson[1]`, and answer those at `asked`."""
        places, labels = lesson
        machine = self._machine(seed).fit(self.features[places], labels)
        return [[{"label": str(name), "score": 1.0}] for name in machine.predict(self.features[asked])]

    def _machine(self, seed: int) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

        if self._sparse:
            return LinearSVC(random_state=seed % 2**32)
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, C=0.01))
