"""Two runs side by side, from their ledgers and, where both answered the same test records, from those answers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton.core import labels, plugins
from lepton.core.types import Label
from lepton.metrics import _intervals
from lepton.report._headline import headline
from lepton.report._told import Told

_CELLS = 100_000
"""Size of a table up to which it is resampled; beyond it only metrics with a closed form get a paired interval."""


def compare(first: str | Path, second: str | Path) -> dict[str, Any]:
    """What `lepton compare RUN RUN --json` prints.

    `runs` has, for each, what it reached, weighs and takes; `paired` the second's score minus the first's on the test
    records that both answered (none where they share none), with a 95 % interval; `settings` what differs between the
    resolved recipes, by place. Raises UserError where there is no run.
    """
    told = [Told.of(first), Told.of(second)]
    return {"runs": [_run(run) for run in told], "paired": paired(*told), "settings": differences(*told)}


def paired(first: Told, second: Told) -> dict[str, Any]:
    """The differences on the records that both answered, how many those are, and how many only one of them answered."""
    one, other = _answers(first), _answers(second)
    shared = [name for name in one if name in other and one[name]["label"] == other[name]["label"]]
    counts = {"n": len(shared), "first_only": len(one) - len(shared), "second_only": len(other) - len(shared)}
    if not shared:
        return {**counts, "metrics": {}}
    truth = [labels.from_json(one[name]["label"]) for name in shared]
    told = truth, [one[name]["answer"] for name in shared], [other[name]["answer"] for name in shared]
    classes = first.stage("prepare").get("classes") or []
    same = classes == (second.stage("prepare").get("classes") or [])
    names = [name for name in first.stage("evaluate").get("metrics") or {} if same and name in plugins.names("metrics")]
    found = {name: _difference(name, told, classes) for name in names}
    return {**counts, "metrics": {name: value for name, value in found.items() if value is not None}}


def differences(first: Told, second: Told) -> list[dict[str, Any]]:
    """Settings of the resolved recipes that differ: [{"place", "first", "second"}], in the order of the recipe."""
    one, other = flat(first.recipe), flat(second.recipe)
    places = [*one, *(place for place in other if place not in one)]
    rows = ({"place": place, "first": one.get(place), "second": other.get(place)} for place in places)
    return [row for row in rows if row["first"] != row["second"]]


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A table as places and values: {"train.lr": 0.001, ...}; lists stay whole."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{above}.{name}" if above else name
        found.update(flat(value, place) if isinstance(value, Mapping) and value else {place: value})
    return found


def _run(told: Told) -> dict[str, Any]:
    trial = told.winner or {}
    figures = {name: trial.get(name) for name in ("plan", "size_mb", "model_p50_ms", "p50_ms", "p95_ms")}
    facts = told.stage("evaluate")
    return {
        "run": str(told.folder),
        "name": told.app.get("name"),
        "task": told.app.get("task"),
        "status": told.status,
        "headline": headline(told),
        "n": facts.get("n"),
        "metrics": facts.get("metrics") or {},
        **figures,
        "parameters": told.stage("train").get("parameters"),
        "machine": (told.events.get("run", {}).get("machine") or {}).get("processor"),
    }


def _answers(told: Told) -> dict[str, Any]:
    """The test answers by record id; none where the run kept none."""
    place = told.place("evaluate")
    path = place / "answers.jsonl" if place else None
    if path is None or not path.exists():
        return {}
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
    return {row["id"]: row for row in rows}


def _difference(
    name: str, told: tuple[Sequence[Label], Sequence[Any], Sequence[Any]], classes: Sequence[str]
) -> dict[str, Any] | None:
    metric = plugins.load("metrics", name)
    truth, one, other = told
    tables = [np.asarray(metric.table(truth, answers, classes)) for answers in (one, other)]
    if not metric.PROPORTION and tables[0].size > _CELLS:
        return None
    found = _intervals.paired_interval(metric, tables[0], tables[1], seed=0)
    return found._asdict()
