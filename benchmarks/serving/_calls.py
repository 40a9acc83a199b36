"""What the clients share: the inputs that are sent, and a row for each call. It runs in a client's own interpreter."""

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """An app, two raw inputs for it, the arrays of the first, and the right answers."""

    app: str
    raws: list[bytes]
    text: bool
    encoded: dict[str, np.ndarray]
    labels: list[list[str]]
    scores: list[list[float]]

    def is_right(self, labels: Any, scores: Any) -> bool:
        """Whether these are the answers, or those to the first inputs, to the last bit."""
        count = len(labels)
        plain = [[item.decode() if isinstance(item, bytes) else str(item) for item in row] for row in labels]
        return plain == self.labels[:count] and np.asarray(scores).tolist() == self.scores[:count]


def cases(job: Path) -> list[Case]:
    """The cases that were written down."""
    return [
        Case(
            told["app"],
            [base64.b64decode(raw) for raw in told["raws"]],
            told["text"],
            {name: _array(array) for name, array in told["encoded"].items()},
            told["labels"],
            [[float.fromhex(score) for score in row] for row in told["scores"]],
        )
        for told in json.loads(job.read_text(encoding="utf-8"))
    ]


def tell(calls: dict[str, Callable[[], object]]) -> None:
    """Make the calls and print a row for each; one is right when it gives True."""
    rows = []
    for name, call in calls.items():
        try:
            right, note = call() is True, ""
        except Exception as error:  # noqa: BLE001 - whatever a client meets is what is to be told
            right, note = False, f"{type(error).__name__}: {error}"[:300]
        rows.append({"call": name, "right": right, "note": note})
    json.dump(rows, sys.stdout)


def _array(told: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(told["bytes"]), told["dtype"]).reshape(told["shape"])
