"""The recipes on real data, through the packaged app, beside a linear baseline.

Usage: python benchmarks/accuracy.py [NAME ...]

Each run's test score is that of the app that is shipped. Ratios are of median times of the graphs alone, batch 1,
one thread, against the same network in eager PyTorch and in fp32 ONNX, measured in turn.
"""

import json
import sys
from pathlib import Path
from typing import Any

from _table import DATA, RESULTS, keep

from lepton.cli._output import Lines
from lepton.core.ledger import facts
from lepton.stages import _road

RECIPES = Path(__file__).parents[1] / "recipes"
RUNS = Path(__file__).parents[1] / "runs" / "benchmarks"

AIMS = {
    "mnist-seed": 0.960,
    "mnist-resnet": 0.985,
    "questions": 0.91,
    "intents": 0.92,
    "sentiment": 0.84,
    "spoken-digits": 0.985,
    "clothing": None,
    "pneumonia": None,
    "entities": None,
}
SETS = ("train.threads=1", "compress.search=quick")
"""One thread: small networks gain little from more, and the machine may be busy. Methods on graphs alone: what the
search for smaller networks adds is the table of `benchmarks/compression`."""

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def main(names: list[str]) -> None:
    """Run the recipes named (all of them, and the unseen speakers, when none is) and keep the table."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    for name in names or [*AIMS, "unseen-speakers"]:
        found = unseen_speakers() if name == "unseen-speakers" else recipe(name)
        keep("accuracy", list({**_known(), name: found}.values()))


def _known() -> dict[str, dict[str, Any]]:
    """Rows of earlier runs, so that one recipe can be measured again."""
    path = RESULTS / "accuracy.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {row["recipe"]: row for row in rows}


def recipe(name: str) -> dict[str, Any]:
    """One recipe as it stands: a row."""
    done = _road.run(RECIPES / f"{name}.toml", out=RUNS / name, sets=SETS, progress=Lines())
    return {"recipe": name, "aim": AIMS[name] or "", **_row(facts(done.folder))}


def unseen_speakers() -> dict[str, Any]:
    """Spoken digits of a speaker never heard, each of the six in turn: the mean of the accuracies."""
    rows = [_one_speaker(speaker) for speaker in SPEAKERS]
    scores = [row["test"] for row in rows]
    each = ", ".join(f"{speaker} {score:.3f}" for speaker, score in zip(SPEAKERS, scores, strict=True))
    means = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0] if isinstance(rows[0][key], float)}
    return {"recipe": "unseen-speakers", "aim": 0.85, **rows[0], **means, "interval": each}


def _one_speaker(speaker: str) -> dict[str, Any]:
    split = f'data.split={{test={{speaker=["{speaker}"]}}, validation=0.1}}'
    done = _road.run(
        RECIPES / "spoken-digits.toml", out=RUNS / f"speaker-{speaker}", sets=[split, *SETS], progress=Lines()
    )
    return _row(facts(done.folder))


def _row(told: dict[str, Any]) -> dict[str, Any]:
    """What a run's ledger says, as a row."""
    scores, compress = told["evaluate"]["facts"], told["compress"]["facts"]
    metric, found = next(iter(scores["metrics"].items()))
    trials = {trial["plan"]: trial for trial in compress["trials"]}
    shipped, base, torch = trials[compress["winner"]], trials["onnx"], compress["torch"]
    return {
        "metric": metric,
        "test": found["value"],
        "interval": f"{found['low']:.3f} to {found['high']:.3f}",
        "linear baseline": scores["baselines"][-1]["metrics"][metric]["value"],
        "model": told["train"]["facts"]["model"]["name"],
        "shipped": compress["winner"],
        "faster than PyTorch": torch["model_p50_ms"] / shipped["model_p50_ms"],
        "faster than ONNX fp32": 1 / shipped["ratio"],
        "smaller than ONNX fp32": base["size_mb"] / shipped["size_mb"],
        "MB": shipped["size_mb"],
        "ms p50": shipped["p50_ms"],
        "training s": told["train"]["seconds"],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
