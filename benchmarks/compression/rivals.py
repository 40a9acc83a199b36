"""The same trained teacher through what people compress with today, each tool in an environment of its own.

Usage: python benchmarks/compression/rivals.py RUN

A rival is a file `rival_NAME.py` beside this one, which says in its head what it needs. It is given the teacher's
uncompressed graph, encoded training samples to calibrate on, and the encoded test split without labels; it gives
logits, sizes and times. The scores are made here, by the code that scores ours.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from _environments import python  # noqa: E402
from _rival import REFERENCE  # noqa: E402
from _table import markdown  # noqa: E402

from lepton.core import files, plugins, seeds  # noqa: E402
from lepton.core.ledger import facts  # noqa: E402
from lepton.core.types import Arrays, Record  # noqa: E402
from lepton.metrics import _intervals  # noqa: E402
from lepton.stages import _encoded  # noqa: E402
from lepton.stages._records import read_records  # noqa: E402

CALIBRATION = 256
COLUMNS = ("rival", "value", "low", "high", "drop", "drop_bound", "size_mb", "model_p50_ms", "model_p95_ms", "ratio")

Row = dict[str, Any]


def rivals(run: Path, *, threads: int = 1) -> list[Row]:
    """Rows of the fp32 ONNX teacher and of every rival, from the finished run in the folder `run`.

    Each has `rival`, `versions`, the task's `metric` on the test split with its `value`, `low` and `high` (95 %),
    `drop` and `drop_bound` (one-sided 95 %) against the fp32 teacher, `size_mb` (the model's files alone, 10^6
    bytes), `model_p50_ms` and `model_p95_ms` (the graph alone, a test sample at a time), `ratio` (of median times to
    the fp32 teacher's, in turn in the same process), `calls` and a `note`. One that failed has `failed`, the reason,
    in place of all measurements.
    """
    teacher = Teacher.of(run)
    with tempfile.TemporaryDirectory() as name:
        aside = Path(name)
        samples = teacher.write_job(aside / "job", threads)
        rows: dict[str, Row] = {}
        # Every script times the teacher too; the row that stays is that of the first, ONNX Runtime's own.
        for row in chain.from_iterable(_asked(script, aside) for script in sorted(HERE.glob("rival_*.py"))[::-1]):
            rows.setdefault(row["rival"], row)
        tables = {name: teacher.table(np.load(row["logits"]), samples) for name, row in rows.items() if "logits" in row}
    return [teacher.scored(row, tables) for row in rows.values()]


@dataclass(frozen=True)
class Teacher:
    """The trained model that everybody starts from, and the splits of its run."""

    plan: Path
    records: Path
    task: ModuleType
    metric: ModuleType
    seed: int

    @classmethod
    def of(cls, run: Path) -> "Teacher":
        """The teacher of the run in the folder `run`."""
        told = facts(run)
        recipe = told["run"]["recipe"]
        task = plugins.load("tasks", recipe["app"]["task"])
        metric = recipe["contract"]["metric"].get("name") or task.METRICS[0]
        made = {name: run / "artifacts" / told[name]["artifact"] for name in ("prepare", "compress")}
        records = made["prepare"] / "records.jsonl"
        return cls(_plan(made["compress"]), records, task, plugins.load("metrics", metric), recipe["app"]["seed"])

    def write_job(self, folder: Path, threads: int) -> list[Arrays]:
        """Write what a rival is given to `folder`; gives the whole arrays of the test split, a sample each."""
        train = read_records(self.records, "train")
        picked = seeds.generator(self.seed, "calibration").permutation(len(train))[:CALIBRATION]
        calibration = self._encoded([train[index] for index in picked])
        test = self._encoded(read_records(self.records, "test"))
        inputs = [item.name for item in onnx.load(self.plan / "model.onnx").graph.input]
        for name, samples in (("calibration", calibration), ("test", test)):
            _write_samples(folder / name, samples, inputs)
        shutil.copy(self.plan / "model.onnx", folder)
        files.write_json(folder / "job.json", {"threads": threads})
        return test

    def table(self, logits: np.ndarray, samples: Sequence[Arrays]) -> np.ndarray:
        """The metric's table of the answers that `logits` (R, C) make."""
        described = files.read_json(self.plan / "model.json")
        settings = {"classes": described["classes"], "decode": described["decode"]}
        parts = zip(_parts(logits, samples), samples, strict=True)
        answers = [self._answer(part, sample, settings) for part, sample in parts]
        truth = [record.label for record in read_records(self.records, "test")]
        table: np.ndarray = self.metric.table(truth, answers, described["classes"])
        return table

    def scored(self, row: Row, tables: dict[str, np.ndarray]) -> Row:
        """The row with its score and its drop against the fp32 teacher, where it gave answers."""
        told = {key: value for key, value in row.items() if key != "logits"}
        if row["rival"] not in tables:
            return told
        mine = tables[row["rival"]]
        value, low, high, _ = _intervals.interval(self.metric, mine, seed=self.seed)
        told |= {"metric": self.metric.__name__.rsplit(".", 1)[-1], "value": value, "low": low, "high": high}
        if REFERENCE in tables:
            drop = _intervals.drop_bound(self.metric, tables[REFERENCE], mine, seed=self.seed)
            told |= {"drop": drop.value, "drop_bound": drop.bound}
        return told

    def _encoded(self, records: Sequence[Record]) -> list[Arrays]:
        """The arrays of each record, with a batch axis of 1."""
        name, fitted = _encoded.load(self.plan)
        collate = plugins.load("transforms", name).collate
        return [collate([sample]) for sample in _encoded.encode(records, _encoded.encoder(name, fitted))]

    def _answer(self, logits: np.ndarray, sample: Arrays, settings: dict[str, Any]) -> Any:
        return self.task.answer(lambda _: {"logits": logits}, sample, settings)[0]


def _plan(compress: Path) -> Path:
    """The folder of the uncompressed plan: `model.onnx`, `model.json`, `transform.json` and `transform/`."""
    return compress / "plans" / "onnx"


def _write_samples(folder: Path, samples: Sequence[Arrays], inputs: Sequence[str]) -> None:
    """A file for each sample, with those of its arrays that enter the graph."""
    folder.mkdir(parents=True)
    for index, sample in enumerate(samples):
        np.savez(folder / f"{index:06}.npz", **{name: sample[name] for name in inputs})


def _asked(script: Path, aside: Path) -> list[Row]:
    """What the rival's script has to say of the job, or why it did not come to that."""
    out = aside / script.stem / "rows.json"
    out.parent.mkdir()
    # Some tools report their use to their makers unless they run in CI.
    environment = {**os.environ, "CI": "true"}
    try:
        command = [python(script), script, aside / "job", out]
        # Some leave files in the folder where they run.
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=out.parent)
    except subprocess.CalledProcessError as error:
        told = (error.stderr or "").strip().splitlines()[-1:]
        return [{"rival": script.stem.removeprefix("rival_"), "failed": "".join(told) or str(error)}]
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8"))
    return rows


def _parts(logits: np.ndarray, samples: Sequence[Arrays]) -> Iterator[np.ndarray]:
    """The logits of each sample: (1, C) where each has one row of `logits`, else (1, T, C) with a row a token."""
    if len(logits) == len(samples):
        yield from logits[:, None]
        return
    lengths = [next(iter(sample.values())).shape[1] for sample in samples]
    yield from (part[None] for part in np.split(logits, np.cumsum(lengths)[:-1]))


def main() -> None:
    """Print the rivals' table for the run that is named."""
    rows = rivals(Path(sys.argv[1]))
    print(markdown([{name: row.get(name, "") for name in (*COLUMNS, "versions", "note", "failed")} for row in rows]))


if __name__ == "__main__":
    main()
