"""What `adapt = "auto"` chooses, beside the best method by hindsight; and a learning curve's forecast beside the truth.

Usage: python benchmarks/adapt/auto.py [CASE or CURVE ...]

The cases are those of `table.py`, with the methods' defaults. Each method is also trained alone, so that its score on
the test set is known: the choice was made without. The curves, "linear" and "full", are those of two methods on all
5,452 training questions of TREC; the forecast is that from half of them or fewer.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import DATA, RESULTS, keep
from table import Case, cases, encoder, in_torch, score, trained

from lepton.core.ledger import facts

CURVES = ("linear", "full")
SHARES = [0.01, 0.05, 0.1, 0.25, 0.5]
_HEADS = ("case", "method", "validation", "interval", "to the best", "within", "chosen", "test", "test interval")
_COSTS = ("weights trained", "s", "peak MB", "kB", "note")

Row = dict[str, Any]


def main(names: list[str]) -> None:
    """Measure what is named (all of it, when nothing is) and keep it after each case."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    known = cases()
    for name in names or [*known, *CURVES]:
        if name in CURVES:
            _keep(_kept("rows"), {**_kept("told"), f"curve, {name}": _curve(name)})
            continue
        rows, told = _compared(name, known[name]())
        others = [row for row in _kept("rows") if row["case"] != name]
        _keep([*others, *rows], {**_kept("told"), name: told})


def _keep(rows: list[Row], told: Mapping[str, Any]) -> None:
    keep("adapt_auto", rows, told=told)


def _kept(part: str) -> Any:
    path = RESULTS / "adapt_auto.json"
    empty: dict[str, Any] = {"rows": [], "told": {}}
    return (json.loads(path.read_text(encoding="utf-8")) if path.exists() else empty)[part]


def _compared(name: str, case: Case) -> tuple[list[Row], Row]:
    """A row for each method, and the choice with its reason and what the best by hindsight has on the test set."""
    start = [f"train.start={case.base()}"] if case.base else []
    folder = name.replace(" ", "-")
    run = trained(folder, case.recipe, [*start, "adapt=auto"]).run
    methods = facts(run.folder)["train"]["facts"]["methods"]
    chosen_test = score(run, in_torch)
    rows = []
    for found in methods["rows"]:
        alone = {} if found["metric"] is None else _alone((folder, case), start, found)
        rows.append({"case": name, **_row(found, alone)})
    best = max((row for row in rows if row["test"] != ""), key=lambda row: row["test"])
    hindsight = {"method": best["method"], "accuracy": best["test"], "interval": best["test interval"]}
    counted = {key: methods[key] for key in ("chosen", "why", "seconds")}
    return rows, {**counted, "test of the choice": chosen_test, "best by hindsight": hindsight}


def _alone(place: tuple[str, Case], start: list[str], found: Mapping[str, Any]) -> Row:
    """The method alone, on the test set; on validation records it is as good as it was beside the others."""
    folder, case = place
    settings = ", ".join(f"{key}={_toml(value)}" for key, value in found["method"].items() if value is not None)
    run = trained(folder, case.recipe, [*start, f"adapt={{{settings}}}"]).run
    again = facts(run.folder)["train"]["facts"]["validation"]
    return {**score(run, in_torch), "same": bool(np.isclose(again, found["metric"]))}


def _toml(value: Any) -> str:
    return json.dumps(value)  # of strings, numbers, truth values and lists of them JSON is TOML


def _row(found: Mapping[str, Any], alone: Mapping[str, Any]) -> Row:
    if found["metric"] is None:
        return {**dict.fromkeys((*_HEADS[1:], *_COSTS), ""), "method": found["name"], "note": found["note"]}
    gap = {key: f"{100 * value:+.1f}" for key, value in found["difference"].items()}
    values = (
        *(found["name"], found["metric"], f"{found['low']:.3f} to {found['high']:.3f}"),
        *(f"{gap['value']} ({gap['low']} to {gap['high']})", found["within"], found["chosen"]),
        *(alone["accuracy"], alone["interval"], found["trained"], found["seconds"], found["peak_mb"]),
        *(found["bytes"] / 1000, "" if alone["same"] else "alone it reached another validation score"),
    )
    return dict(zip((*_HEADS[1:], *_COSTS), values, strict=True))


def _curve(method: str) -> Row:
    """The curve of a method over all of TREC, what half of it or less foretold of the whole, and what came."""
    source = f'{{ train = "{DATA / "sentences" / "TREC.train.all"}", test = "{DATA / "sentences" / "TREC.test.all"}" }}'
    recipe = {
        "name": "trec",
        "task": "text-classification",
        "data": f"source = {source}\nsplit = {{ validation = 0.1 }}",
        "model": f'name = "hub"\nhub = "{encoder()}"',
        "train": f'epochs = 3\nlr = 3e-4\nbatch = 16\nprecision = "bf16"\ncurve = {SHARES}',
    }
    run = trained("trec", recipe, [f"adapt={method}"]).run
    curve = facts(run.folder)["train"]["facts"]["curve"]
    return {**curve, "came": curve["rows"][-1]["metric"], "test": score(run, in_torch)}


if __name__ == "__main__":
    main(sys.argv[1:])
