"""figures.json: what the test set and the search showed, for who looks at an app and has not its run.

It lies beside the manifest and not in it: nobody needs it to answer, so it does not count as the app's size.
"""

from collections.abc import Mapping
from typing import Any

from lepton.core import plugins
from lepton.report import _words
from lepton.stages._plans import REFERENCE
from lepton.stages._stage import Stage

NAME = "figures.json"


def figures(stage: Stage) -> dict[str, Any]:
    """`{"test": {"n", "metrics", "baselines", ...}, "search": {...}}`, from the facts that the stages before told."""
    told = {name: stage.read(name, "artifact.json")["facts"] for name in ("evaluate", "compress")}
    test = {key: told["evaluate"][key] for key in ("n", "metrics", "baselines")}
    lower = [name for name in test["metrics"] if _lower_is_better(name)]
    return {"test": {**test, "lower_is_better": lower}, "search": _search(told["compress"])}


def _lower_is_better(metric: str) -> bool:
    return bool(plugins.load("metrics", metric).LOWER_IS_BETTER)


def _search(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was tried: a point for each plan, and the limits it was held against."""
    reference = next(trial for trial in told["trials"] if trial["plan"] == REFERENCE)
    return {
        "metric": told["metric"],
        "lower_is_better": _lower_is_better(told["metric"]),
        "records": told["validation_records"],
        "drop": told["drop_limit"]["value"],
        "limits": {clause["name"]: clause["asked"] for clause in reference["clauses"]},
        "shipped": _words.plan(told["winner"]),
        "reference": _words.plan(REFERENCE),
        "trials": [_point(trial, reference["model_p50_ms"]) for trial in told["trials"]],
    }


def _point(trial: Mapping[str, Any], pace: float) -> dict[str, Any]:
    """A trial in a picture. `model_ms` is its ratio, measured in turn with the reference, times the reference's."""
    return {
        "plan": _words.plan(trial["plan"]),
        "metric": trial["metric"],
        "drop_bound": trial["drop_bound"],
        "model_ms": pace * trial["ratio"],
        "p95_ms": trial["p95_ms"],
        "size_mb": trial["size_mb"],
        "kept": all(clause["kept"] for clause in trial["clauses"]),
    }
