"""Several methods of adaptation, each trained on the same records from the same start, and the one that is worth it.

What a method reached and what it trained is kept in the stage's scratch folder before the next one begins, so a killed
comparison goes on where it was and chooses as it would have.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from lepton.core import plugins, settings
from lepton.core.errors import UserError
from lepton.core.ledger import Ledger
from lepton.core.settings import Plugin, Range
from lepton.stages import _candidate, _model, _worth
from lepton.stages._candidate import Candidate, Ready, Result
from lepton.stages._fit import Data, Start, Trained
from lepton.stages._peak import Peak
from lepton.stages._stage import Stage
from lepton.training import devices

Method = Mapping[str, Any]
"""A method's name with all its settings."""

_SPENT = "the budget was spent"


@dataclass(frozen=True, kw_only=True)
class Auto:
    """Each method is trained on the same records from the same start, and one is kept.

    That is the one that trains the fewest weights of those that the validation set cannot tell from the best. methods:
    names or tables with settings; left out, every method there is. Those that train few weights are tried first.
    budget: minutes; no method is begun that would end later if it took as long as the slowest before it.
    """

    budget: Annotated[float, Range(0.1, 10_000)] = 30.0
    methods: Annotated[list[str | dict[str, Any]] | None, Plugin("adapt", "adapt")] = None


def every() -> list[dict[str, Any]]:
    """Every method of the room with its defaults, or with each of the settings that it offers (its AUTO)."""
    usual: tuple[Mapping[str, Any], ...] = ({},)
    modules = {name: plugins.load("adapt", name) for name in plugins.names("adapt")}
    return [
        {"name": name, **settings.settle(module.adapt, given, "adapt")}
        for name, module in modules.items()
        for given in getattr(module, "AUTO", usual)
    ]


def name_of(method: Method) -> str:
    """A method's name, with the settings that are not its usual ones."""
    usual = settings.defaults(plugins.load("adapt", method["name"]).adapt)
    told = [f"{key} {value}" for key, value in method.items() if key != "name" and value != usual[key]]
    return f"{method['name']} ({', '.join(told)})" if told else str(method["name"])


def table(data: Data, start: Start) -> np.ndarray:
    """The metric's table of the answers that the network of `start` gives to the validation records."""
    encoded = data.encoded(start.transform)
    how = {**start.described, "task": data.task, "collate": encoded.module.collate}
    run = _model.TorchRun(start.network.eval(), start.described["inputs"])
    found = _model.answers(run, encoded.validation, how)
    truth = [record.label for record in data.validation]
    return np.asarray(plugins.load("metrics", data.metric).table(truth, found, data.classes))


def choose(stage: Stage, data: Data, candidate: Candidate) -> tuple[Result, dict[str, Any]]:
    """Train the candidate by each method of the recipe within its budget: the one that is worth it, and what is told.

    Raises UserError where no method could be trained.
    """
    comparison = _Comparison(stage, data, candidate, Ledger(stage.scratch / "methods.jsonl"))
    asked = stage.recipe["adapt"]
    rows = list(comparison.rows(asked["methods"], 60 * asked["budget"]))
    judged = comparison.judged(rows)
    chosen = next(row for row in judged if row["chosen"])
    why = _worth.why(judged, len(data.validation)) + _left_out(rows)
    stage.progress.say(why)
    shown = [*judged, *(row for row in rows if row["metric"] is None)]
    return comparison.result(chosen), {
        "rows": [{key: value for key, value in row.items() if key != "history"} for row in shown],
        "chosen": chosen["name"],
        "why": why,
        "budget": asked["budget"],
        "seconds": sum(row["seconds"] for row in rows),
    }


def _left_out(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [row["name"] for row in rows if row["note"] == _SPENT]
    return f"; {', '.join(names)} not tried, since {_SPENT}" if names else ""


@dataclass(frozen=True)
class _Comparison:
    stage: Stage
    data: Data
    candidate: Candidate
    journal: Ledger

    def rows(self, methods: Sequence[Method], budget: float) -> Iterator[dict[str, Any]]:
        """A row for each method, those that train few weights first, and then those that do not fit."""
        known = {row["name"]: row for row in self.journal.read("method")}
        sketches = sorted(map(self._sketch, methods), key=lambda row: (bool(row["note"]), row["trained"]))
        spent = slowest = 0.0
        for sketch in sketches:
            if sketch["note"]:
                yield sketch
            elif sketch["name"] not in known and spent and spent + slowest > budget:
                yield {**sketch, "note": _SPENT}
            else:
                row = known.get(sketch["name"]) or self._trained(sketch)
                spent, slowest = spent + row["seconds"], max(slowest, row["seconds"])
                yield {key: value for key, value in row.items() if key != "event"}

    def _sketch(self, method: Method) -> dict[str, Any]:
        """The row of a method before training: what it would train, or why it does not fit."""
        empty = {"trained": 0, "head": 0, "weights": 0, "share": 0.0, "metric": None, "seconds": 0.0, "peak_mb": None}
        row = {"name": name_of(method), "method": dict(method), **empty, "bytes": None, "note": ""}
        try:
            found = self._ready(method).adaptation
        except UserError as fault:
            return {**row, "note": fault.what}
        return {**row, "trained": found.trained, "head": found.head, "weights": found.weights, "share": found.share}

    def _trained(self, sketch: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a method after training; what it trained is kept first."""
        began, place = time.perf_counter(), self._place(sketch["method"])
        ready = self._ready(sketch["method"])
        self.stage.progress.say(ready.adaptation.told)
        try:
            with Peak(devices.choose(self.candidate.train.device)) as peak:
                result = _candidate.train(self.stage, self.data, ready)
        except UserError as fault:
            return {**sketch, "seconds": time.perf_counter() - began, "note": fault.what}
        history = result.trained.history
        # A training that goes on from a checkpoint took the seconds of its earlier epochs too.
        took = max(time.perf_counter() - began, sum(row["seconds"] for row in history))
        metric = self._keep(result, place)
        reached = {"metric": metric, "seconds": took, "peak_mb": peak.mb, "history": history}
        row = {**sketch, **reached, "bytes": (place / "weights.safetensors").stat().st_size}
        self.journal.write("method", **row)
        (self.stage.scratch / f"{ready.candidate.identity}.pt").unlink(missing_ok=True)
        return row

    def _keep(self, result: Result, place: Path) -> float:
        """Keep what training changed of the network, and the table of its answers; returns their score."""
        place.mkdir(parents=True, exist_ok=True)
        start = result.trained.start
        before = self._ready(result.ready.candidate.method).start.network.state_dict()
        after = {name: value.detach().cpu() for name, value in start.network.state_dict().items()}
        changed = {name: value.contiguous() for name, value in after.items() if not torch.equal(value, before[name])}
        save_file(changed, place / "weights.safetensors")
        answered = table(self.data, start)
        np.save(place / "table.npy", answered)
        return float(plugins.load("metrics", self.data.metric).score(answered))

    def judged(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The rows of what was trained, with how they compare. Raises UserError where nothing was."""
        tried = [row for row in rows if row["metric"] is not None]
        if not tried:
            raise UserError(
                "No method of adaptation could be tried",
                rule="One of them at least must fit the network, and train",
                received="; ".join(f"{row['name']}: {row['note']}" for row in rows),
                remedy="Name others in adapt.methods",
            )
        known = [_worth.Tried(row["name"], row["trained"], self.table(row["method"])) for row in tried]
        verdicts = _worth.judged(self.data.metric, known, seed=self.data.seed)
        return [{**row, **verdict} for row, verdict in zip(tried, verdicts, strict=True)]

    def table(self, method: Method) -> np.ndarray:
        """The table that was kept of a method."""
        return np.asarray(np.load(self._place(method) / "table.npy"))

    def result(self, row: Mapping[str, Any]) -> Result:
        """The trained network of a row: its start again, with what training changed."""
        ready = self._ready(row["method"])
        changed = load_file(self._place(row["method"]) / "weights.safetensors")
        ready.start.network.load_state_dict({**ready.start.network.state_dict(), **changed})
        return Result(ready, Trained(ready.start, row["history"], row["seconds"]))

    def _ready(self, method: Method) -> Ready:
        return _candidate.ready(self.stage, self.data, self._with(method))

    def _with(self, method: Method) -> Candidate:
        return replace(self.candidate, method=method)

    def _place(self, method: Method) -> Path:
        return self.stage.scratch / f"method-{self._with(method).identity}"
