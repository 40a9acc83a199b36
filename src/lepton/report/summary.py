"""A run as one JSON document, made from its ledger alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lepton.report import _words
from lepton.report._headline import headline, ratios
from lepton.report._pareto import pareto
from lepton.report._told import Told, missed


def summarise(run_folder: str | Path) -> dict[str, Any]:
    """What `lepton report RUN --json` prints.

    `status` is "shipped", "refused" or "unfinished"; `metrics` (test set), `contract` and `app` are None where the run
    did not come so far. `leaks` has how many test records also stand in the given train split, exactly or nearly, the
    metrics without them, and by how much they raise a quick model's score. `data` has the version of the data and what
    was corrected and cleaned, `as_given` the metrics on the test labels before they were corrected, `doubtful` how many
    of these look wrong, `open_set` what abstaining does (None where the app does not), `slices` a row for each slice,
    the weakest first. `steps` has one row for each plan that compression finished, with what it costs and brings;
    `pareto` names those that no other beats in both the metric and the time of the graph (as measured in turn with the
    uncompressed one), fastest first; `search` has what was only sketched (`sketches`), trained a little (`rungs`) or
    left out (`skipped`), and `damage` what the
    compression of the shipped one changed. `methods` has a row for each method of adaptation that was compared, and
    why one was chosen; `curve` the metric by the number of training records, and what twice the labels would bring.
    `stages` has a row for each stage that is done.
    Raises UserError where there is no run.
    """
    told = Told.of(run_folder)
    evaluated = told.stage("evaluate")
    return {
        "name": told.app.get("name"),
        "task": told.app.get("task"),
        "status": told.status,
        "headline": headline(told),
        "n": evaluated.get("n"),
        "metrics": evaluated.get("metrics"),
        "leaks": evaluated.get("leaks"),
        "data": {name: told.stage("prepare").get(name) for name in ("version", "corrections", "clean")},
        "as_given": evaluated.get("as_given"),
        "doubtful": evaluated.get("doubtful"),
        "open_set": _open_set(evaluated.get("open_set")),
        "slices": evaluated.get("slices") or [],
        "baselines": evaluated.get("baselines") or [],
        "beaten": evaluated.get("beaten"),
        "uncompressed": evaluated.get("reference"),
        "contract": contract(told),
        "contract_lines": contract_lines(told),
        "app": _app(told),
        "steps": [_step(told, trial) for trial in told.trials],
        "pareto": [trial["plan"] for trial in pareto(told)],
        "search": {name: list(getattr(told, name)) for name in ("sketches", "rungs", "skipped")},
        "damage": _damage(told.stage("compress").get("damage")),
        "refused": told.events.get("refused", {}).get("message"),
        "stages": [_stage(event) for event in told.done],
        "model": told.stage("train").get("model"),
        "methods": told.stage("train").get("methods"),
        "curve": told.stage("train").get("curve"),
        "seed": told.app.get("seed"),
        "machine": told.events.get("run", {}).get("machine"),
        "versions": told.done[-1].get("versions", {}) if told.done else {},
    }


def contract(told: Told) -> dict[str, Any] | None:
    """The contract held against what is shipped, or against the nearest candidate where nothing is."""
    facts = told.stage("compress")
    if not told.trials:
        return None
    trial = told.winner or told.nearest(1)[0]
    return {
        "kept": told.winner is not None,
        "standing": bool(facts.get("standing")),
        "asked": facts.get("contract"),
        "plan": trial["plan"],
        "drop_limit": facts.get("drop_limit"),
        "clauses": list(trial.get("clauses") or []),
    }


def contract_lines(told: Told) -> list[str]:
    """The contract for a terminal, one clause a line."""
    held = contract(told)
    return [_words.clause_line(clause) for clause in held["clauses"]] if held else []


def _app(told: Told) -> dict[str, Any] | None:
    made = told.stage("package").get("app")
    if not made:
        return None
    trial = told.winner or {}
    times = {name: trial.get(name) for name in ("p50_ms", "p95_ms", "model_p50_ms")}
    kept = {name: made.get(name) for name in ("id", "size_mb")}
    gains = ratios(told, trial) if trial else {}
    return {"path": str(told.folder / "app"), **kept, "plan": trial.get("plan"), **times, "against": gains}


def _step(told: Told, trial: Mapping[str, Any]) -> dict[str, Any]:
    chosen = told.winner is not None and told.winner["plan"] == trial["plan"]
    return {**trial, "kept": not any(missed(trial)), "chosen": chosen, "against": ratios(told, trial)}


def _damage(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What compression changed, without the places of previews."""
    if not facts:
        return None
    shown = [{key: value for key, value in item.items() if key != "file"} for item in facts.get("changed") or []]
    return {**facts, "changed": shown}


def _open_set(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The figures of abstaining, without the examples."""
    return {key: value for key, value in facts.items() if key not in ("taken", "turned_away")} if facts else None


def _stage(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: event.get(name) for name in ("stage", "artifact", "seconds", "skipped")}
