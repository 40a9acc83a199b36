"""Questions that no intent covers: banking77 with 20 of its 77 intents left out of training.

Usage: python benchmarks/adapt/open_set.py [choose] [measure] [TUNING ...]

20 intents are drawn by a seed and left out. To choose how the encoder is tuned and which score tells known from unknown
("choose"), 14 more of the remaining 57 are left out for a while: their training questions are the unknown ones, and
known are validation questions. What did best there is then trained on all 57, packaged and asked the test questions of
all 77 ("measure"); the other scores stand beside. The threshold keeps 95 % of known validation questions. Near the
intents that are known lie most of those that are not ("card not working" beside "card swallowed"), which is harder than
questions of another domain; those of CLINC or of a shop would be rejected far more often.

Distances are in the space of the features before the head, those of the training questions being known: to the class
means, whitened by what classes have in common (Lee et al., 2018), the same less the distance to all (Ren et al., 2021),
and to the nearest question by its cosine (Sun et al., 2022). "together" adds the probability and the last, each scaled
to the known validation questions.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from _table import DATA, RESULTS, keep
from table import RUNS, encoder
from torch import nn

from lepton.cli._output import Lines
from lepton.core import plugins
from lepton.core.ledger import facts
from lepton.core.types import Record
from lepton.metrics import _open_set
from lepton.runtime import app as apps
from lepton.runtime.evaluate import with_outputs
from lepton.stages import _encoded, _model, _road, _unknown
from lepton.stages._records import read_records
from lepton.tasks._abstain import DISTANCE, SCORES, likeness

LEFT_OUT, SET_ASIDE = 20, 14
KEEP = 0.95
COLUMNS = ("what", "tuning", "score", "AUROC", "interval", "rejected", "rejected interval", "kept", "kept interval")
MORE = ("accuracy", "known", "unknown", "training s", "chosen")

_RECIPE = """
[app]
name = "banking"
task = "text-classification"

[data]
source = {{ train = "{data}/train.csv", test = "{data}/test.csv" }}
unknown = {unknown}
split = {{ validation = 0.1 }}

{model}

[compress]
{compress}

[evaluate]
abstain = {{ keep = {keep}, score = "{score}" }}
"""

_ENCODER = """[model]
name = "hub"
hub = "{hub}"

[train]
epochs = 3
lr = 2e-4
smoothing = {smoothing}
precision = "bf16"
threads = 1
{more}"""

Part = tuple[np.ndarray, np.ndarray]
"""Logits (N, C) and features (N, D)."""
Score = Callable[["Seen", str], np.ndarray]
"""How much the questions of a part look known, (N,)."""


def tunings() -> dict[str, str]:
    """[model] and [train] of each way to come to a classifier."""
    contrastive = '\n[adapt]\nname = "contrastive"\nepochs = 3\nlr = 2e-4\n'
    return {
        "all weights": _ENCODER.format(hub=encoder(), smoothing=0.0, more=""),
        "bag of words": '[model]\nname = "bag"\n\n[train]\nthreads = 1\n',
        "contrastive": _ENCODER.format(hub=encoder(), smoothing=0.0, more=contrastive),
    }


def intents() -> tuple[list[str], list[str]]:
    """The intents that are left out, and those of the rest that are set aside to choose by."""
    names = json.loads((DATA / "banking77" / "categories.json").read_text(encoding="utf-8"))
    draw = random.Random(0)
    left = draw.sample(sorted(names), LEFT_OUT)
    return sorted(left), sorted(draw.sample(sorted(set(names) - set(left)), SET_ASIDE))


@dataclass(frozen=True)
class Seen:
    """What a trained model sees of questions, by part: train, validation, test, and the unknown ones."""

    parts: Mapping[str, Part]
    truth: np.ndarray
    """The classes of the training questions."""

    def logits(self, part: str) -> np.ndarray:
        """Logits (N, C)."""
        return self.parts[part][0]

    def features(self, part: str) -> np.ndarray:
        """Features of length 1, (N, D)."""
        rows = self.parts[part][1]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    @cached_property
    def means(self) -> np.ndarray:
        """The mean of each class, (C, D)."""
        rows = self.features("train")
        return np.stack([rows[self.truth == label].mean(0) for label in range(self.truth.max() + 1)])


def distance(seen: Seen, part: str) -> np.ndarray:
    """The squared distance to the nearest class mean, negative, whitened by the covariance within classes."""
    rows = seen.features("train")
    whiten = _whitening(rows - seen.means[seen.truth])
    return -_squares(seen.features(part) @ whiten, seen.means @ whiten).min(1)


def relative(seen: Seen, part: str) -> np.ndarray:
    """The same, and added the squared distance to the mean of all, whitened by the covariance of all."""
    rows = seen.features("train")
    centre = rows.mean(0)
    whiten = _whitening(rows - centre)
    return distance(seen, part) + (((seen.features(part) - centre) @ whiten) ** 2).sum(1)


def nearest(seen: Seen, part: str) -> np.ndarray:
    """The cosine to the nearest training question."""
    return (seen.features(part) @ seen.features("train").T).max(1)


def together(seen: Seen, part: str) -> np.ndarray:
    """The probability and the cosine to the nearest question, each scaled to the known validation questions."""
    found = []
    for score in (ways()["probability"], nearest):
        known = score(seen, "validation")
        found.append((score(seen, part) - known.mean()) / known.std())
    return np.sum(found, axis=0)


def ways() -> dict[str, Score]:
    """Every score by name."""

    def of_logits(name: str) -> Score:
        return lambda seen, part: likeness({"logits": seen.logits(part)}, name)

    distances = {"class means": distance, "class means, relative": relative, "nearest question": nearest}
    return {**{name: of_logits(name) for name in SCORES}, **distances, "probability + nearest": together}


def _whitening(rows: np.ndarray) -> np.ndarray:
    """What brings rows (N, D) around 0 to about unit covariance; a thousandth of the mean variance is added to all."""
    covariance = rows.T @ rows / len(rows)
    values, vectors = np.linalg.eigh(covariance + 1e-3 * np.trace(covariance) / len(covariance) * np.eye(rows.shape[1]))
    return vectors / np.sqrt(values)


def _squares(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (rows**2).sum(1)[:, None] - 2 * rows @ others.T + (others**2).sum(1)


def main(asked: Sequence[str]) -> None:
    """Choose and measure, keeping the table after each row; what is trained already is not trained again."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    left, aside = intents()
    names = [name for name in asked if name in tunings()] or list(tunings())
    for what in [each for each in asked if each in ("choose", "measure")] or ("choose", "measure"):
        for row in choose(names, left, aside) if what == "choose" else measure(left):
            known = {**_known(), (row["what"], row["tuning"], row["score"]): row}
            table = [{column: each.get(column, "") for column in (*COLUMNS, *MORE)} for each in known.values()]
            keep("open_set", table, left_out=left, set_aside=aside)


def _known() -> dict[tuple[str, str, str], dict[str, Any]]:
    path = RESULTS / "open_set.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {(row["what"], row["tuning"], row["score"]): row for row in rows}


def choose(names: Sequence[str], left: Sequence[str], aside: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows on the intents set aside: unknown are their training questions, known those of validation."""
    for tuning in names:
        run, seconds = _run(f"choose-{tuning}", (tunings()[tuning], [*left, *aside]), until="train")
        records = _records(run)
        records["unknown"] = [each for each in records["unknown validation"] if each.label in aside]
        del records["test"], records["unknown validation"], records["unknown test"]
        yield from _rows("choosing", tuning, _seen(run, records), how=("validation", "unknown", seconds))


def measure(left: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows on the intents left out: known and unknown test questions, asked of the packaged app."""
    best = chosen()
    for tuning in dict.fromkeys([best[0], "bag of words"]):
        score = best[1] if tuning == best[0] else SCORES[0]
        run, seconds = _run(f"measure-{tuning}", (tunings()[tuning], left), score=_IN_APPS.get(score, score))
        records = _records(run)
        records["unknown"] = records["unknown test"]
        del records["unknown validation"], records["unknown test"]
        for row in _rows("measuring", tuning, _seen(run, records, app=run.app), how=("test", "unknown", seconds)):
            accuracy = facts(run.folder)["evaluate"]["facts"]["open_set"]["forced"]["accuracy"]["value"]
            mark = "yes" if (tuning, row["score"]) == best else ""
            yield {**row, "accuracy": accuracy, "chosen": mark}
        yield _packaged(run, tuning, accuracy)


def _packaged(run: _road.Run, tuning: str, accuracy: float) -> dict[str, Any]:
    """What the app itself does by the score that it abstains by."""
    told = facts(run.folder)["evaluate"]["facts"]["open_set"]
    return {
        **_row("measuring", tuning, f"the app: {told['score']}", found=told),
        "accuracy": accuracy,
        "chosen": "the app",
    }


def chosen() -> tuple[str, str]:
    """The tuning, and the score that an app can have, with the best AUROC on the intents set aside."""
    can = (*SCORES, *_IN_APPS)
    rows = [row for row in _known().values() if row["what"] == "choosing" and row["score"] in can]
    best = max(rows, key=lambda row: row["AUROC"])
    return best["tuning"], best["score"]


_IN_APPS = {"class means, relative": DISTANCE}
"""Scores that are called otherwise in recipes."""


def _run(
    name: str, how: tuple[str, Sequence[str]], *, until: str | None = None, score: str = SCORES[0]
) -> tuple[_road.Run, float | str]:
    """The recipe's run, and the processor's seconds of its training; "" where that was done already."""
    model, unknown = how
    folder = RUNS / "open-set" / name.replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    packing = 'passes = ["fuse", "int8_dynamic"]' if "hub" in model else 'search = "none"'
    told = {
        "data": DATA / "banking77",
        "unknown": json.dumps(list(unknown)),
        "keep": KEEP,
        "compress": packing,
        "score": score,
    }
    path = folder / "recipe.toml"
    path.write_text(_RECIPE.format(**told, model=model), encoding="utf-8")
    asked = {"out": folder / "run", "progress": Lines()}
    _road.run(path, until="prepare", **asked)
    began = time.process_time()
    run = _road.run(path, until="train", **asked)
    seconds = "" if "train" in run.skipped else time.process_time() - began
    return (run if until else _road.run(path, **asked)), seconds


def _records(run: _road.Run) -> dict[str, list[Record]]:
    """The questions of each part."""
    folder = run.artifacts["prepare"].folder
    known = {split: read_records(folder / "records.jsonl", split) for split in ("train", "validation", "test")}
    unknown = {f"unknown {split}": read_records(folder / _unknown.FILE, split) for split in ("validation", "test")}
    return {**known, **unknown}


def _seen(run: _road.Run, records: Mapping[str, Sequence[Record]], app: Path | None = None) -> Seen:
    """What the trained network sees; with `app` the logits of all but the training questions are the packaged app's."""
    network, described = _model.load(run.artifacts["train"].folder)
    parts = {name: _computed(run, (network, described), own) for name, own in records.items()}
    if app:
        asked = apps.load(app)
        parts = {
            name: (np.stack([with_outputs(asked, str(each.raw))[1]["logits"][0] for each in records[name]]), part[1])
            if name != "train"
            else part
            for name, part in parts.items()
        }
    return Seen(parts, np.array([described["classes"].index(each.label) for each in records["train"]]))


def _computed(run: _road.Run, model: tuple[Any, Mapping[str, Any]], records: Sequence[Record]) -> Part:
    """Logits and features of questions; the features are what comes before the head."""
    network, described = model
    name, fitted = _encoded.load(run.artifacts["train"].folder)
    samples = _encoded.encode(records, _encoded.encoder(name, fitted))
    engine = _model.TorchRun(network, described["inputs"])
    head = next((part for part in reversed(list(network.modules())) if isinstance(part, nn.Linear)), None)
    caught: list[np.ndarray] = []
    hook = head.register_forward_pre_hook(lambda _, given: caught.append(given[0].numpy(force=True))) if head else None
    logits: list[Any] = [None] * len(samples)
    features: list[Any] = [np.ones(1)] * len(samples)
    for places, batch in _model.batches(samples, plugins.load("transforms", name).collate):
        rows = engine(batch)["logits"]
        for at, row, feature in zip(places, rows, caught.pop() if caught else rows, strict=True):
            logits[at], features[at] = row, feature
    if hook:
        hook.remove()
    return np.stack(logits), np.stack(features)


def _rows(what: str, tuning: str, seen: Seen, *, how: tuple[str, str, float | str]) -> Iterator[dict[str, Any]]:
    """A row for each score: of a bag for those of its logits."""
    known, unknown, seconds = how
    named = {name: score for name, score in ways().items() if tuning != "bag of words" or name in SCORES}
    for name, score in named.items():
        limit = _open_set.threshold(score(seen, "validation"), KEEP)
        found = _open_set.figures(score(seen, known), score(seen, unknown), limit, seed=0)
        yield {**_row(what, tuning, name, found=found), "training s": seconds}


def _row(what: str, tuning: str, score: str, *, found: Mapping[str, Any]) -> dict[str, Any]:
    shares = {key: found[key]["value"] for key in ("rejected", "kept")}
    ends = {f"{key} interval": _interval(found[key]) for key in shares}
    areas = {"AUROC": found["auroc"]["value"], "interval": _interval(found["auroc"])}
    counts = {"known": found["known"], "unknown": found["unknown"]}
    return {"what": what, "tuning": tuning, "score": score, **areas, **shares, **ends, **counts}


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['low']:.3f} to {found['high']:.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])
