# /// script
# dependencies = ["nncf", "openvino", "onnx", "numpy", "onnxruntime"]
# ///
"""NNCF's post-training quantisation with its defaults, run by OpenVINO; and OpenVINO alone, to tell the two apart.

ONNX Runtime is here for the fp32 teacher that everything is timed against.

Usage: python rival_nncf.py JOB OUT.json
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nncf
import onnx
import openvino
from _rival import Job, Made, Make, Run, compete, read

ATTENTION = {"Softmax", "Attention", "MultiHeadAttention"}


def plain(job: Job, folder: Path) -> Made:
    """The model as OpenVINO saves it (weights in fp16) and runs it (in bf16 where the processor can)."""
    return _saved(_converted(job), job, folder)


def quantised(job: Job, folder: Path, **settings: Any) -> Made:
    """The model quantised on the calibration samples; `settings` beside the defaults."""
    model = nncf.quantize(_converted(job), nncf.Dataset(job.calibration), **settings)
    return _saved(model, job, folder)


def makers(job: Job) -> Mapping[str, Make]:
    """What is tried; what the documentation advises for transformers too, where the model attends."""
    found: dict[str, Make] = {"OpenVINO": plain, "NNCF": quantised}
    if any(node.op_type in ATTENTION for node in onnx.load(job.model).graph.node):
        found["NNCF transformer"] = partial(quantised, model_type=nncf.ModelType.TRANSFORMER)
    return found


def _converted(job: Job) -> openvino.Model:
    """The model for OpenVINO, its axes fixed where no sample needs them free, which OpenVINO runs faster."""
    model = openvino.convert_model(job.model)
    shapes = {name: [sample[name].shape for sample in job.test] for name in job.test[0]}
    model.reshape({name: openvino.PartialShape(_common(own)) for name, own in shapes.items()})
    return model


def _common(shapes: list[tuple[int, ...]]) -> list[int]:
    return [axis[0] if len(set(axis)) == 1 else -1 for axis in zip(*shapes, strict=True)]


def _saved(model: openvino.Model, job: Job, folder: Path) -> Made:
    openvino.save_model(model, folder / "model.xml")
    return Made(_opened(folder / "model.xml", job.threads), [folder / "model.xml", folder / "model.bin"])


def _opened(path: Path, threads: int) -> Run:
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    compiled: Callable[..., Any] = openvino.Core().compile_model(path, "CPU", settings)
    return lambda arrays: compiled(arrays)[0]


if __name__ == "__main__":
    job = read(Path(sys.argv[1]))
    compete(job, makers(job), Path(sys.argv[2]), packages=("nncf", "openvino"))
