"""Planted label noise: how well the audit finds it, beside cleanlab's Datalab given the same predictions.

Usage: python benchmarks/data/label_noise.py [NAME ...]

Of each class a share of the labels is flipped, to classes drawn by how often models take them for each other: the
confusion matrix out of fold on the labels as they are. The data hold errors of their own, which count as right here,
so no figure can reach 1. Figures are means over DRAWS draws of the noise; "ahead" counts those in which the audit's
average precision is above that of Datalab with the same predictions. Datalab is asked twice: with the audit's
predictions, and by its own tutorials' recipe on the audit's features. Predictions are kept under
`runs/benchmarks/label-noise/`: remove it when what makes them has changed.
"""

import hashlib
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from _environments import python
from _table import DATA, RESULTS, keep

from lepton.checks import _label_quality, _near
from lepton.checks._predictions import Predictions
from lepton.cli._output import Lines
from lepton.core import seeds
from lepton.core.types import Record
from lepton.formats import _read
from lepton.stages import _features, _usable
from lepton.stages._out_of_fold import Asked, predictions

KEPT = Path(__file__).parents[2] / "runs" / "benchmarks" / "label-noise"
RATES = (0.05, 0.2, 0.4)
DRAWS = 3
SENTENCES = "sentences/TREC.train.all", "sentences/TREC.test.all"
SOURCES: dict[str, dict[str, Any]] = {
    "clothing": {"source": "clothing"},
    "spoken-digits": {"source": "spoken-digits", "pattern": "{label}_{speaker}_{index}.wav"},
    "TREC": {"source": dict(zip(("train", "test"), SENTENCES, strict=True)), "modality": "text"},
    "mnist-10k": {"source": "mnist-10k"},
    "banking77": {"source": "banking77"},
}


def main(names: Sequence[str]) -> None:
    """Measure the data sets named, or all, at every rate, and keep the table."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    for name in names or SOURCES:
        for rate in RATES:
            rows = {**_known(), (name, rate): measured(name, rate)}
            keep("label_noise", list(rows.values()))


def _known() -> dict[tuple[str, float], dict[str, Any]]:
    path = RESULTS / "label_noise.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {(row["data"], row["rate"]): row for row in rows}


def measured(name: str, rate: float) -> dict[str, Any]:
    """One row: average precision, and precision (which is recall) at the true number of errors, of ours and theirs."""
    records = list(_read.read(base=DATA, **SOURCES[name]).records)
    clean, _ = _predicted(records, f"{name}-0")
    drawn = [_draw(name, (records, clean), (rate, draw)) for draw in range(DRAWS)]
    means = {key: float(np.mean([each[key] for each in drawn])) for key in drawn[0]}
    ahead = sum(each["AP"] > each["Datalab, same predictions: AP"] for each in drawn)
    first = {"data": name, "rate": rate, "labels": round(means.pop("labels")), "planted": round(means.pop("planted"))}
    return {**first, **means, "ahead": f"{ahead} of {DRAWS}"}


def _draw(name: str, data: tuple[Sequence[Record], Predictions], noise: tuple[float, int]) -> dict[str, float]:
    """The figures of one draw of the noise, `noise` being its rate and its number."""
    (records, clean), (rate, draw) = data, noise
    noisy, flipped = planted(records, clean, rate, draw=draw)
    found, seconds = _predicted(noisy, f"{name}-{rate}")
    wrong = np.array([each in flipped for each in found.records])
    doubts, theirs = _label_quality.doubts(found.given, found.probabilities), _datalab(found, noisy)
    orders = {"": doubts.wrong, "Datalab, same predictions: ": -theirs["same_quality"]}
    orders["Datalab, its own: "] = -theirs["own_quality"]
    return {
        **{"labels": len(found.given), "planted": int(wrong.sum())},
        **{f"{whose}AP": average_precision(wrong, order) for whose, order in orders.items()},
        **{f"{whose}at planted": at_number(wrong, order) for whose, order in orders.items()},
        "expected": doubts.expected,
        "Datalab expects": int(theirs["same_issue"].sum()),
        "seconds": seconds,
    }


def planted(
    records: Sequence[Record], clean: Predictions, rate: float, *, draw: int = 0
) -> tuple[list[Record], set[str]]:
    """The records with `rate` of each class flipped, and the ids of those that were."""
    classes, count = list(clean.classes), len(clean.classes)
    confused = np.full((count, count), 1e-3)
    np.add.at(confused, (clean.given, clean.probabilities.argmax(axis=1)), 1)
    np.fill_diagonal(confused, 0)
    random = seeds.generator(draw, "noise", rate)
    flips: dict[str, str] = {}
    for label in range(count):
        own = np.flatnonzero(clean.given == label)
        chosen = random.permutation(own)[: round(rate * len(own))]
        to = random.choice(count, size=len(chosen), p=confused[label] / confused[label].sum())
        flips |= {clean.records[row]: classes[other] for row, other in zip(chosen, to, strict=True)}
    noisy = [replace(record, label=flips.get(record.id, record.label)) for record in records]
    return noisy, set(flips)


def average_precision(wrong: np.ndarray, scores: np.ndarray) -> float:
    """The mean of the precision at each error, in the order of the scores."""
    hits = wrong[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def at_number(wrong: np.ndarray, scores: np.ndarray) -> float:
    """The share of errors among as many of the most suspect as there are errors."""
    return float(wrong[np.argsort(-scores, kind="stable")[: int(wrong.sum())]].mean())


def _predicted(records: Sequence[Record], name: str) -> tuple[Predictions, float]:
    """Predictions for the records and the seconds of processor time that they took, kept from an earlier run."""
    labels = hashlib.sha256(json.dumps([record.label for record in records]).encode()).hexdigest()[:12]
    path = KEPT / f"{name}-{labels}.pickle"
    if not path.exists():
        near = _near.tied(_near.pairs(records))
        began = time.process_time()
        found = predictions(records, Asked(minutes=60, clusters=near, progress=Lines())).predictions
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps((found, time.process_time() - began)))
    kept: tuple[Predictions, float] = pickle.loads(path.read_bytes())
    return kept


def _datalab(found: Predictions, records: Sequence[Record]) -> Any:
    script = Path(__file__).parent / "rival_datalab.py"
    source, out = KEPT / "asked.npz", KEPT / "answered.npz"
    by_id = {record.id: record for record in records}
    features = _seen([by_id[name] for name in found.records])
    np.savez(source, given=found.given, probabilities=found.probabilities, features=features)
    subprocess.run([python(script), script, source, out], check=True)
    return np.load(out)


def _seen(records: Sequence[Record]) -> np.ndarray:
    """The dense features that the audit's own models see."""
    modality = _usable.modality(records)
    if modality == "text":
        return _features.topics(_features.grams(records), 0)
    return (_features.looks if modality == "image" else _features.sounds)(records, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
