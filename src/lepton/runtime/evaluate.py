"""Evaluating an app on labelled raw inputs, from the same code that serves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lepton.core import plugins
from lepton.core.errors import BadInput, UserError
from lepton.core.progress import Progress, Silent
from lepton.core.types import Label, Record
from lepton.metrics import _intervals
from lepton.runtime.app import App, load

_TOGETHER = 256


def evaluate(
    app: App | str | Path, records: Sequence[Record], *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Answer every labelled record and score the answers with the task's metrics.

    Gives `{"task", "n", "metrics": {name: {"value", "low", "high"}}, "bad": [{"id", "reason"}], "unlabelled"}`; bounds
    are two-sided 95 % ones. Inputs that cannot be read are named in `bad` and do not count. A metric without a
    meaning on these records is left out. Raises UserError when no labelled record is left.
    """
    loaded = app if isinstance(app, App) else load(app)
    labelled = [record for record in records if record.label is not None]
    answers = _answers(loaded, labelled, progress or Silent())
    bad = [
        {"id": record.id, "reason": answer.message}
        for record, answer in zip(labelled, answers, strict=True)
        if isinstance(answer, BadInput)
    ]
    pairs = [(r.label, a) for r, a in zip(labelled, answers, strict=True) if not isinstance(a, BadInput)]
    if not pairs:
        rule = "At least one labelled record must be readable"
        raise UserError("There is nothing to evaluate", rule=rule, received=f"{len(records)} records, {len(bad)} bad")
    return {
        "task": loaded.task,
        "n": len(pairs),
        "metrics": _scores(loaded, pairs, seed),
        "bad": bad,
        "unlabelled": len(records) - len(labelled),
    }


def _answers(app: App, records: Sequence[Record], progress: Progress) -> list[Any]:
    found: list[Any] = []
    with progress.bar("evaluate", len(records)) as bar:
        for start in range(0, len(records), _TOGETHER):
            # The records' own raw inputs are handed over, so a file that is gone or broken is a bad input, not an end.
            chunk = [record.raw for record in records[start : start + _TOGETHER]]
            found += app.attempt(chunk)
            bar.step(len(chunk))
    return found


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
