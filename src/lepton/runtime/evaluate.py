"""Evaluating an app on labelled raw inputs, from the same code that serves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton.core import plugins
from lepton.core.errors import BadInput, UserError
from lepton.core.progress import Progress, Silent
from lepton.core.types import Arrays, Files, Label, Raw, Record
from lepton.metrics import _intervals, _open_set
from lepton.runtime.app import App, load
from lepton.tasks._abstain import likeness

_TOGETHER = 256


def evaluate(
    app: App | str | Path, records: Sequence[Record], *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Answer every labelled record and score the answers with the task's metrics.

    Gives `{"task", "n", "metrics": {name: {"value", "low", "high"}}, "bad": [{"id", "reason"}], "unlabelled"}`; bounds
    are two-sided 95 % ones. Inputs that cannot be read are named in `bad` and do not count. A metric without a
    meaning on these records is left out. Of an app that abstains, records whose label is none of its classes are
    unknown: they count in no metric, and `open_set` (else None) has how many of them are rejected, how many known ones
    are kept, and the AUROC. A known record that is abstained from is a wrong answer. Raises UserError when no labelled
    record is left.
    """
    loaded = app if isinstance(app, App) else load(app)
    labelled = [record for record in records if record.label is not None]
    answered = list(zip(labelled, _answers(loaded, labelled, progress or Silent()), strict=True))
    bad = [{"id": one.id, "reason": told.message} for one, (told, _) in answered if isinstance(told, BadInput)]
    good = [(one.label, *found) for one, found in answered if not isinstance(found[0], BadInput)]
    if not good:
        rule = "At least one labelled record must be readable"
        raise UserError("There is nothing to evaluate", rule=rule, received=f"{len(records)} records, {len(bad)} bad")
    abstain = loaded.manifest.decode.get("abstain")
    known = [one for one in good if not abstain or one[0] in loaded.manifest.classes]
    return {
        "task": loaded.task,
        "n": len(known),
        "metrics": _scores(loaded, [(label, answer) for label, answer, _ in known], seed) if known else {},
        "open_set": _open(loaded, good, seed) if abstain else None,
        "bad": bad,
        "unlabelled": len(records) - len(labelled),
    }


def with_outputs(app: App, raw: Raw | Path | Files) -> tuple[Any, Arrays]:
    """The full answer to one raw input, and the graph's outputs (1, ...) behind it; a BadInput and none of them."""
    heard: dict[str, np.ndarray] = {}

    def run(arrays: Arrays) -> Arrays:
        heard.update(app.run(arrays))
        return heard

    return app.attempt([raw], run=run)[0], heard


def _answers(app: App, records: Sequence[Record], progress: Progress) -> list[tuple[Any, Arrays]]:
    """Answers, and of an app that abstains the outputs behind each."""
    found: list[tuple[Any, Arrays]] = []
    with progress.bar("evaluate", len(records)) as bar:
        for start in range(0, len(records), _TOGETHER):
            # The records' own raw inputs are handed over, so a file that is gone or broken is a bad input, not an end.
            chunk = [record.raw for record in records[start : start + _TOGETHER]]
            if app.manifest.decode.get("abstain"):
                found += [with_outputs(app, raw) for raw in chunk]
            else:
                found += [(answer, {}) for answer in app.attempt(chunk)]
            bar.step(len(chunk))
    return found


def _open(app: App, answered: Sequence[tuple[Label, Any, Arrays]], seed: int) -> dict[str, Any]:
    """What abstaining does to known and unknown records."""
    decode, classes = app.manifest.decode, app.manifest.classes
    abstain, temperature = decode["abstain"], float(decode.get("temperature") or 1.0)
    alike = np.concatenate([likeness(each, abstain["score"], temperature=temperature) for *_, each in answered])
    inside = np.array([label in classes for label, *_ in answered])
    outside = sorted({str(label) for label, *_ in answered} - set(classes))
    found = _open_set.figures(alike[inside], alike[~inside], abstain["threshold"], seed=seed)
    return {"label": abstain["label"], **found, "labels": outside}


def _scores(app: App, pairs: Sequence[tuple[Label, Any]], seed: int) -> dict[str, dict[str, float]]:
    truth, answers = [label for label, _ in pairs], [answer for _, answer in pairs]
    classes = list(app.manifest.classes)
    found = {}
    for name in plugins.load("tasks", app.task).METRICS:
        metric = plugins.load("metrics", name)
        if name == "auroc" and len({str(label) for label in truth} & set(classes)) < len(classes):
            continue
        value, low, high, _ = _intervals.interval(metric, metric.table(truth, answers, classes), seed=seed)
        found[name] = {"value": value, "low": low, "high": high}
    return found
