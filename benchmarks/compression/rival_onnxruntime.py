# /// script
# dependencies = ["onnxruntime", "onnx", "sympy", "numpy"]
# ///
"""ONNX Runtime's own quantisation with its defaults, pre-processed first as its documentation recommends.

Usage: python rival_onnxruntime.py JOB OUT.json
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from _rival import Arrays, Job, Made, compete, opened, read, reason
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


def dynamic(job: Job, folder: Path) -> Made:
    """Weights in 8 bits, activation scales computed as the batch comes."""
    note = _prepare(job, folder)
    quantize_dynamic(folder / "prepared.onnx", folder / "model.onnx")
    return _made(job, folder, note)


def static(job: Job, folder: Path) -> Made:
    """Weights and activations in 8 bits, scales fixed on the calibration samples."""
    note = _prepare(job, folder)
    quantize_static(folder / "prepared.onnx", folder / "model.onnx", _Reader(job))
    return _made(job, folder, note)


class _Reader(CalibrationDataReader):
    """Gives one sample at a time."""

    def __init__(self, job: Job) -> None:
        self._left: Iterator[Arrays] = iter(job.calibration)

    def get_next(self) -> Arrays | None:
        """The next sample, or None at the end."""
        return next(self._left, None)


def _prepare(job: Job, folder: Path) -> str:
    """Pre-process with defaults or, where these fail, without symbolic shapes; gives a remark in that case."""
    try:
        quant_pre_process(job.model, folder / "prepared.onnx")
    except Exception as error:  # noqa: BLE001 - it fails in many ways, and its documentation has a switch for them
        quant_pre_process(job.model, folder / "prepared.onnx", skip_symbolic_shape=True)
        return f"quant_pre_process without symbolic shapes, where its defaults fail: {reason(error)}"
    return ""


def _made(job: Job, folder: Path, note: str) -> Made:
    return Made(opened(folder / "model.onnx", job.threads), [folder / "model.onnx"], note)


if __name__ == "__main__":
    compete(
        read(Path(sys.argv[1])),
        {"ONNX Runtime dynamic": dynamic, "ONNX Runtime static": static},
        Path(sys.argv[2]),
        packages=("onnxruntime", "onnx"),
    )
