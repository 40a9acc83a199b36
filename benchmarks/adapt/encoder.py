"""A pretrained sentence encoder, fine-tuned and packaged, on four sets of texts; beside, what it has to beat.

Usage: python benchmarks/adapt/encoder.py [CASE ...]

Rows of a case: the packaged app (fine-tuned, operators fused, int8, the tokenizer inside), the same architecture from
scratch, the linear baseline, and a plain script with transformers' Trainer and its defaults, which gets the processor
time that Lepton's training took. Accuracy is that of the test set, from raw text; financial-phrasebank has none, so
five folds are answered by the networks of the others. Training computes in bfloat16, which processors with such
instructions are quicker at. "p50 ms" is from a question of 20 words to its answer, one thread. "changed" are decisions
on validation records that differ between PyTorch and what is served. Seconds are of one thread with a core to itself.
"""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from _table import DATA, RESULTS, keep
from sklearn.model_selection import StratifiedKFold
from table import RUNS, encoder

from lepton.cli._output import Lines
from lepton.core.ledger import facts
from lepton.formats import _read
from lepton.metrics import _intervals, accuracy
from lepton.runtime import app as apps
from lepton.runtime import bench
from lepton.stages import _road
from lepton.stages._records import read_records

FOLDS = 5
PACKAGED = "Lepton, packaged"
COLUMNS = ("case", "what", "accuracy", "interval", "test", "training s", "MB", "p50 ms", "changed", "of")
QUESTION = "I would like to know why the money that I sent to my friend last week has not arrived there yet"  # 20 words

_RECIPE = """
[app]
name = "{name}"
task = "text-classification"

[data]
source = {source}
split = {{ validation = {validation} }}

[model]
name = "hub"
hub = "{hub}"

[train]
epochs = {epochs}
lr = {lr}
augment = {augment}
precision = "bf16"
threads = 1

[compress]
passes = ["fuse", "int8_dynamic"]

[contract]
metric = {{ max_drop = {drop} }}
"""

Row = dict[str, Any]
Source = Mapping[str, str]
"""Paths of train and test (validation where it is given)."""


@dataclass(frozen=True)
class Case:
    """A set of texts: its folds (one, where a test set is given), and how long it is trained.

    `lr` and `augment` were chosen by validation. `drop` is what packaging may cost by its bound: a point, or what the
    validation records can prove.
    """

    name: str
    sources: Callable[[], Sequence[Source]]
    epochs: int
    lr: float = 2e-4
    augment: float = 0.5
    validation: float = 0.1
    drop: float = 0.01

    @property
    def settings(self) -> dict[str, float]:
        """What the recipe says of training and packaging."""
        return {name: getattr(self, name) for name in ("epochs", "lr", "augment", "validation", "drop")}


def _given(**paths: str) -> Callable[[], Sequence[Source]]:
    return lambda: [{split: str(DATA / path) for split, path in paths.items()}]


def folds() -> Sequence[Source]:
    """The financial phrasebank in five parts, each the test set once; written to files of its own."""
    records = list(_read.read("financial-phrasebank/sample.csv", base=DATA).records)
    parts = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(records, [str(each.label) for each in records])
    found = []
    for number, (train, test) in enumerate(parts):
        folder = RUNS / "phrasebank" / f"fold{number}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, chosen in (("train", train), ("test", test)):
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(
                    [("text", "label"), *((records[at].raw, records[at].label) for at in chosen)]
                )
        found.append({name: str(folder / f"{name}.csv") for name in ("train", "test")})
    return found


CASES = (
    Case("financial-phrasebank", folds, epochs=6, lr=1e-4, augment=0.0, drop=0.03),
    Case("TREC", _given(train="sentences/TREC.train.all", test="sentences/TREC.test.all"), epochs=4, validation=0.2),
    Case(
        "SST-2",
        _given(
            train="sentences/stsa.binary.train",
            validation="sentences/stsa.binary.dev",
            test="sentences/stsa.binary.test",
        ),
        epochs=4,
        lr=5e-5,
        augment=0.0,
    ),
    Case("banking77", _given(train="banking77/train.csv", test="banking77/test.csv"), epochs=6),
)


def main(names: Sequence[str]) -> None:
    """Measure the cases named, or all, and keep the table after each row; a row that is there stays."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    ways = {PACKAGED: _packaged, "linear baseline": _linear, "transformers Trainer": _trainer, "from scratch": _scratch}
    for (what, way), case in product(ways.items(), CASES):
        if (case.name in names or not names) and (case.name, what) not in _known():
            row = {"case": case.name, "what": what, **way(case)}
            rows = {**_known(), (case.name, what): row}.values()
            keep("adapt_encoder", [{column: each.get(column, "") for column in COLUMNS} for each in rows])


def _known() -> dict[tuple[str, str], Row]:
    path = RESULTS / "adapt_encoder.json"
    found = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {(row["case"], row["what"]): row for row in found}


@dataclass(frozen=True)
class Fold:
    """A finished run: whether each test record was answered rightly, by whom, and what it cost."""

    run: _road.Run

    @property
    def seconds(self) -> float:
        """How long training took."""
        return float(self.facts["train"]["facts"]["seconds"])

    @property
    def facts(self) -> dict[str, Any]:
        """The ledger's."""
        return facts(self.run.folder)

    def right(self) -> list[bool]:
        """Whether the packaged app answers each test record rightly, from its text."""
        test = read_records(self.run.artifacts["prepare"].folder / "records.jsonl", "test")
        answers = apps.load(self.run.app).predict([record.raw for record in test])
        return [answer[0]["label"] == record.label for answer, record in zip(answers, test, strict=True)]


def _packaged(case: Case) -> Row:
    done = _folds(case)
    right = [right for fold in done for right in fold.right()]
    return {**_scored(right), **_cost(done), "training s": sum(fold.seconds for fold in done)}


def _scratch(case: Case) -> Row:
    done = _folds(case, pretrained=False)
    return {**_scored([right for fold in done for right in fold.right()]), "training s": sum(f.seconds for f in done)}


def _folds(case: Case, *, pretrained: bool = True) -> list[Fold]:
    """The runs of a case; what is done already is not done again."""
    end = "" if pretrained else "-scratch"
    sets = () if pretrained else ("model.pretrained=false",)
    folder = RUNS / "encoder"
    return [
        _fold(case, source, (folder / f"{case.name}-{number}{end}", sets))
        for number, source in enumerate(case.sources())
    ]


def _fold(case: Case, source: Source, place: tuple[Path, Sequence[str]]) -> Fold:
    folder, sets = place
    folder.mkdir(parents=True, exist_ok=True)
    told = {"name": case.name.lower(), "source": json.dumps(dict(source)).replace('":', '" ='), "hub": encoder()}
    recipe = folder.with_suffix(".toml")
    recipe.write_text(_RECIPE.format(**told, **case.settings), encoding="utf-8")
    how = {"out": folder, "sets": sets, "progress": Lines()}
    return Fold(_road.run(recipe, **how))


def _scored(right: Sequence[bool]) -> Row:
    answers = [[{"label": "right" if each else "wrong", "score": 1.0}] for each in right]
    table = accuracy.table(["right"] * len(right), answers, ["right", "wrong"])
    value, low, high, _ = _intervals.interval(accuracy, table, seed=0)
    return {"accuracy": value, "interval": f"{low:.3f} to {high:.3f}", "test": len(right)}


def _cost(done: Sequence[Fold]) -> Row:
    """Size and speed of the first fold's app, and the decisions that packaging changed in all."""
    app = apps.load(done[0].run.app)
    found = bench.measure(app, [QUESTION], seconds=3.0)
    parity = [step for fold in done for step in fold.facts["package"]["facts"]["parity"]]
    changed = sum(len(step["changed"]) for step in parity)
    looked = sum(fold.facts["package"]["facts"]["parity"][0]["n"] for fold in done)
    return {"MB": found["size_mb"], "p50 ms": found["p50_ms"], "changed": changed, "of": looked}


def _linear(case: Case) -> Row:
    """The linear baseline of each run's own evaluation, taken together."""
    right: list[bool] = []
    for fold in _folds(case):
        told = fold.facts["evaluate"]["facts"]
        value = told["baselines"][-1]["metrics"]["accuracy"]["value"]  # the first is the majority class
        hits = round(value * told["n"])
        right += [True] * hits + [False] * (told["n"] - hits)
    return _scored(right)


def _trainer(case: Case) -> Row:
    """A plain script with transformers' Trainer, on the same training records, for as long as Lepton trained."""
    done = _folds(case)
    told = [_asked(case, fold, _known()[case.name, PACKAGED]["training s"] / len(done)) for fold in done]
    return {**_scored([right for rights, _ in told for right in rights]), "training s": sum(s for _, s in told)}


def _asked(case: Case, fold: Fold, seconds: float) -> tuple[list[bool], float]:
    """What the script answers rightly of a fold's test set, and the seconds that it trained."""
    records = fold.run.artifacts["prepare"].folder / "records.jsonl"
    parts = {split: read_records(records, split) for split in ("train", "test")}
    source, out = (fold.run.folder.with_suffix(f".{what}.json") for what in ("asked", "answered"))
    source.write_text(json.dumps({name: [(each.raw, each.label) for each in part] for name, part in parts.items()}))
    script = Path(__file__).parent / "plain_trainer.py"
    subprocess.run([sys.executable, script, source, encoder(), str(case.epochs), f"{seconds:.0f}", out], check=True)
    told = json.loads(out.read_text(encoding="utf-8"))
    return [answer == each.label for answer, each in zip(told["answers"], parts["test"], strict=True)], told["seconds"]


if __name__ == "__main__":
    main(sys.argv[1:])
