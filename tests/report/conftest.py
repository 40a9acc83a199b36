"""Runs made in code: ledgers as the stages write them, with tiny previews."""

import base64
import io
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from lepton.core.ledger import Ledger

EVIL = "<script>alert('x')</script>"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
MACHINE = {"processor": "a processor", "instructions": ["avx2"], "cores": 2, "system": "Linux", "python": "3.11"}
TASKS = {"image": "image-classification", "text": "text-classification", "audio": "audio-classification"}
CLASSES = ["cat", "dog", EVIL]
ORDER = ("prepare", "train", "compress", "evaluate", "package")


def score(value: float) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - 0.03), "high": min(1.0, value + 0.02)}


def sound() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 80)
    return stream.getvalue()


def preview(kind: str, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"text": f"what is {EVIL}? {name}"} if kind == "text" else {}
    if kind != "text":
        shown = {"file": f"previews/{name}.{'png' if kind == 'image' else 'wav'}"}
    return {"id": f"{EVIL}#{name}", "label": "cat", "kind": kind, **shown}


def clause(name: str, asked: float, measured: float, *, kept: bool) -> dict[str, Any]:
    return {"name": name, "asked": asked, "measured": measured, "kept": kept, "note": "the contract"}


def trial(plan: str, time: float, size: float, *, kept: bool = True) -> dict[str, Any]:
    speed = {"ratio": time / 0.2, "ratio_low": time / 0.21, "ratio_high": time / 0.19}
    times = {"p50_ms": time + 0.1, "p95_ms": time + 0.3, "model_p50_ms": time}
    drop = {"metric": 0.97, "drop": 0.002, "drop_bound": 0.008}
    held = [clause("drop (95 % bound)", 0.02, 0.008, kept=True), clause("size (MB)", 0.6, size, kept=kept)]
    return {"plan": plan, **drop, **times, **speed, "size_mb": size, "batchable": kept, "note": "", "clauses": held}


def prepare(kind: str) -> dict[str, Any]:
    suspect = {"id": EVIL, "score": 0.9, "given": EVIL, "suggested": None}
    finding = {
        "check": "label_spelling",
        "severity": "warning",
        "message": EVIL,
        "remedy": "Mend it",
        "records": [suspect],
    }
    return {
        "modality": kind,
        "classes": CLASSES,
        "counts": {"train": {"cat": 6, "dog": 3, EVIL: 1}, "validation": {"cat": 2}, "test": {"cat": 4, "dog": 2}},
        "records": 18,
        "bad": [{"id": EVIL, "reason": EVIL}],
        "notes": [EVIL],
        "leaks": {"policy": "drop", "train": ["a"], "pairs": [["train#7", "test#8"]]},
        "findings": [finding],
        "examples": [preview(kind, "one"), preview(kind, "gone")],
    }


def train() -> dict[str, Any]:
    losses = [1.9, 0.7, 0.4, 0.5]
    rows = [
        {"epoch": index + 1, "loss": loss, "metric": 1 - loss / 4, "lr": 0.001, "seconds": 1.0}
        for index, loss in enumerate(losses)
    ]
    tried = [
        {"name": "cnn", "metric": 0.9, "seconds": 4.0, "note": ""},
        {"name": "bag", "metric": None, "seconds": 0.0, "note": EVIL},
    ]
    model = {"name": "cnn", "preset": "seed"}
    known = {
        "model": model,
        "parameters": 1234,
        "history": rows,
        "metric": "accuracy",
        "validation": 0.9,
        "seconds": 4.0,
    }
    return {
        **known,
        "validation_records": 2,
        "transform": {"name": "image", "settings": {}},
        "tried": tried,
        "why": "cnn was best",
    }


def compress(*, kept: bool = True) -> dict[str, Any]:
    trials = [trial("onnx", 0.2, 2.0, kept=False), trial("int8_static", 0.1, 0.5 if kept else 0.7, kept=kept)]
    asked = {"metric": {"name": "accuracy"}, "latency": {"batch": 1}, "size_mb": 0.6}
    limit = {"value": 0.02, "origin": "the contract"}
    torch = {"model_p50_ms": 0.5, "size_mb": 2.1}
    known = {"trials": trials, "winner": "int8_static" if kept else None, "contract": asked, "standing": False}
    return {
        **known,
        "drop_limit": limit,
        "machine": MACHINE,
        "validation_records": 200,
        "metric": "accuracy",
        "torch": torch,
    }


def evaluate(kind: str) -> dict[str, Any]:
    rows = [
        {"class": name, "precision": 0.9, "recall": 0.8, "f1": 0.85 - 0.1 * index, "support": 3}
        for index, name in enumerate(CLASSES)
    ]
    bins = [
        {"low": 0.5, "high": 0.6, "count": 2, "score": 0.55, "right": 0.5},
        {"low": 0.9, "high": 1.0, "count": 9, "score": 0.96, "right": 1.0},
    ]
    details = {
        "classes": CLASSES,
        "per_class": rows,
        "confusion": [[4, 0, 0], [1, 1, 0], [0, 0, 0]],
        "reliability": bins,
    }
    answer = [{"label": EVIL, "score": 0.8}, {"label": "cat", "score": 0.2}]
    return {
        "n": 6,
        "metrics": {"accuracy": score(0.95), "calibration_error": score(0.05)},
        "decode": {"name": "softmax"},
        "reference": {"accuracy": score(0.96)},
        "baselines": [
            {"name": "majority class", "metrics": {"accuracy": score(0.4)}},
            {"name": "linear", "metrics": {"accuracy": score(0.9)}},
        ],
        "details": details,
        "mistakes": [{**preview(kind, "one"), "given": "cat", "answer": answer, "score": 0.8}],
        "slices": [{"field": "speaker", "value": EVIL, "n": 3, "metric": score(0.7)}],
        "beaten": None,
    }


def package() -> dict[str, Any]:
    changed = [{"id": EVIL, "before": "cat", "after": EVIL}]
    steps = [("PyTorch", "onnx", []), ("onnx", "int8_static (served)", changed)]
    parity = [{"before": a, "after": b, "n": 200, "changed": rows, "largest": 1e-6} for a, b, rows in steps]
    return {"parity": parity, "app": {"id": "f" * 64, "size_mb": 0.51, "files": {"model.onnx": "0" * 64}, "golden": 5}}


STUDENT = "distil(cnn widths [16] dense [])"


def search() -> dict[str, Any]:
    """What a search tells: plans that keep the contract and such that do not, some trained a little, some left out."""
    trials = [
        trial("onnx", 0.2, 2.0, kept=False),
        trial("int8_static", 0.1, 0.5),
        trial(STUDENT, 0.02, 0.3),
        trial(f"{STUDENT}+int8_static+weights", 0.03, 0.05),
        trial("distil(bag)", 0.004, 0.4),
        *(trial(f"their_method(share 0.{share})", 0.1 + share / 50, 0.7, kept=False) for share in range(1, 7)),
    ]
    # The fastest lost too much; those that others made are no better than what there is.
    trials[4] |= {"metric": 0.7, "drop": 0.27, "drop_bound": 0.3}
    trials[4]["clauses"][0] |= {"measured": 0.3, "kept": False}
    trials[0] |= {"metric": 0.972, "drop": 0.0, "drop_bound": 0.0, "batchable": True}
    rung = {"seconds": 2.0, "model_p50_ms": 0.02, "size_mb": 0.3}
    rungs = [
        {**rung, "plan": STUDENT, "effort": 0.12, "metric": 0.95, "kept": True},
        {**rung, "plan": "distil(resnet width 4)", "effort": 0.12, "metric": 0.4, "kept": False},
    ]
    skipped = [{"plan": "fuse", "why": EVIL}, {"plan": "fuse+int8_static", "why": EVIL}]
    return {"trials": trials, "rungs": rungs, "skipped": skipped, "winner": STUDENT}


class FakeRun:
    """A run's folder, its stages written one by one."""

    def __init__(self, folder: Path, kind: str = "image") -> None:
        self.folder = folder
        self.kind = kind
        folder.mkdir()
        self.ledger = Ledger(folder / "ledger.jsonl")
        app = {
            "name": "pets",
            "task": TASKS[kind],
            "seed": 3,
            "license": "MIT",
            "data_license": EVIL,
            "description": EVIL,
        }
        recipe = {"app": app, "train": {"lr": 0.001, "ema": None}}
        self.ledger.write("run", recipe=recipe, time=1.7e9, machine=MACHINE)

    def facts(self) -> dict[str, dict[str, Any]]:
        told = (prepare(self.kind), train(), compress(), evaluate(self.kind), package())
        return dict(zip(ORDER, told, strict=True))

    def stage(self, name: str, facts: dict[str, Any]) -> None:
        place = self.folder / "artifacts" / f"{name}-0123456789ab" / "previews"
        place.mkdir(parents=True)
        (place / "one.png").write_bytes(PIXEL)
        (place / "one.wav").write_bytes(sound())
        known = {"artifact": place.parent.name, "seconds": 2.0, "skipped": False, "versions": {"numpy": "2"}}
        self.ledger.write("stage", stage=name, facts=facts, **known)

    def go(self, *, until: str = "package", **changed: dict[str, Any]) -> Path:
        """Write the stages up to `until`; `changed` has facts that replace a stage's own."""
        for name, facts in self.facts().items():
            self.stage(name, {**facts, **changed.get(name, {})})
            if name == until:
                break
        return self.folder

    def refuse(self) -> Path:
        """Write the run up to the refusal of its contract."""
        self.go(until="train")
        message = "No candidate keeps the contract, so nothing was packaged."
        self.ledger.write("refused", section="compress", message=message, facts=compress(kept=False))
        return self.folder

    def answers(self, right: list[bool]) -> None:
        """Keep test answers, right or wrong as told."""
        place = self.folder / "artifacts" / "evaluate-0123456789ab"
        rows = [{"id": f"test#{index}", "label": "cat", "answer": _answer(good)} for index, good in enumerate(right)]
        (place / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _answer(right: bool) -> list[dict[str, Any]]:
    order = ["cat", "dog"] if right else ["dog", "cat"]
    return [{"label": order[0], "score": 0.8}, {"label": order[1], "score": 0.2}, {"label": EVIL, "score": 0.0}]


@pytest.fixture
def fake(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path / "run")


@pytest.fixture(params=list(TASKS))
def each_kind(tmp_path: Path, request: pytest.FixtureRequest) -> FakeRun:
    return FakeRun(tmp_path / "run", request.param)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[FakeRun, FakeRun]:
    return FakeRun(tmp_path / "first"), FakeRun(tmp_path / "second")


@pytest.fixture
def searched() -> dict[str, Any]:
    return search()
