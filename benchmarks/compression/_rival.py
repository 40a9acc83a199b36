"""What every rival's script does alike: read the job, make models of it, run and time them in turn, write rows.

It runs in the rival's own interpreter and needs numpy and ONNX Runtime alone. A job is a folder with `model.onnx`,
the uncompressed teacher, `job.json`, and a file for each sample in `calibration/` and `test/`.

Shapes: arrays have a batch axis of 1; R rows of logits (one a sample, or one a token), C outputs.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

REFERENCE = "fp32 ONNX"
CALLS = 500
"""Timed calls of each model at most, each of another test sample."""
SLOT = 10

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], np.ndarray]


@dataclass(frozen=True)
class Job:
    """What a rival is given; it sees no labels."""

    model: Path
    calibration: Sequence[Arrays]
    test: Sequence[Arrays]
    threads: int


@dataclass(frozen=True)
class Made:
    """A model ready to run: from a sample's arrays to its logits, the files it is stored in, and a remark."""

    run: Run
    files: Sequence[Path]
    note: str = ""


Make = Callable[[Job, Path], Made]
"""Makes a model of the job's, in a folder of its own."""


def read(folder: Path) -> Job:
    """The job in `folder`."""
    told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    return Job(folder / "model.onnx", _samples(folder / "calibration"), _samples(folder / "test"), told["threads"])


def compete(job: Job, makers: Mapping[str, Make], out: Path, *, packages: Sequence[str]) -> None:
    """Write a row for the teacher and for each of `makers` to `out`, with the versions of `packages`.

    Logits go beside it. What fails is a row too, with the reason. All test samples run once, which warms every model
    up, before any is timed.
    """
    tried = {name: _try(make, job, out.parent / name) for name, make in {REFERENCE: _reference, **makers}.items()}
    made = {name: found for name, found in tried.items() if isinstance(found, _Tried)}
    times = in_turn({name: found.made.run for name, found in made.items()}, job.test)
    used = ", ".join(f"{name} {version(name)}" for name in packages)
    facts = {name: _facts(made[name], times, name) if name in made else {"failed": tried[name]} for name in tried}
    out.write_text(json.dumps([{"rival": name, "versions": used, **own} for name, own in facts.items()]), "utf-8")


def reason(error: Exception) -> str:
    """What went wrong, in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"


def opened(path: Path, threads: int) -> Run:
    """The graph at `path` in ONNX Runtime on the processor, as a function."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda arrays: session.run(None, arrays)[0]


def in_turn(runs: Mapping[str, Run], samples: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Milliseconds of single calls, at most CALLS of each of `runs`, on samples spread over the whole of `samples`.

    A slot of samples is given to each in turn, in an order that turns round from slot to slot; one untimed call opens
    each, so that none pays for the caches its neighbour left cold.
    """
    picked = [samples[index] for index in np.linspace(0, len(samples) - 1, min(CALLS, len(samples))).astype(int)]
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn, start in enumerate(range(0, len(picked), SLOT)):
        for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            times[name] += _slot(runs[name], picked[start : start + SLOT])
    return {name: np.array(found) * 1e3 for name, found in times.items()}


def _slot(run: Run, samples: Sequence[Arrays]) -> list[float]:
    run(samples[0])
    found = []
    for sample in samples:
        began = time.perf_counter()
        run(sample)
        found.append(time.perf_counter() - began)
    return found


@dataclass(frozen=True)
class _Tried:
    made: Made
    logits: Path


def _try(make: Make, job: Job, folder: Path) -> _Tried | str:
    folder.mkdir()
    try:
        made = make(job, folder)
        logits = [made.run(sample) for sample in job.test]
    except Exception as error:  # noqa: BLE001 - whatever a rival fails of is a result
        return reason(error)
    np.save(folder / "logits.npy", np.concatenate([found.reshape(-1, found.shape[-1]) for found in logits]))
    return _Tried(made, folder / "logits.npy")


def _reference(job: Job, _: Path) -> Made:
    return Made(opened(job.model, job.threads), [job.model])


def _facts(found: _Tried, times: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
    p50 = {key: float(np.median(own)) for key, own in times.items()}
    return {
        "size_mb": sum(path.stat().st_size for path in found.made.files) / 1e6,
        "model_p50_ms": p50[name],
        "model_p95_ms": float(np.quantile(times[name], 0.95)),
        "ratio": p50[name] / p50[REFERENCE] if REFERENCE in p50 else None,
        "calls": len(times[name]),
        "note": found.made.note,
        "logits": str(found.logits),
    }


def _samples(folder: Path) -> list[Arrays]:
    return [_arrays(path) for path in sorted(folder.iterdir())]


def _arrays(path: Path) -> Arrays:
    with np.load(path) as kept:
        return dict(kept)
