"""What every rival answers with: the job's graph in ONNX Runtime on one thread, and the class that stands highest.

It runs in the rival's own interpreter and needs numpy, ONNX Runtime and Pillow alone. A job is a folder with
`model.onnx` and `job.json`, which has the `classes` in order.

Shapes: one sample at a time, (1, C, H, W) uint8.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image


class Model:
    """The job in `folder`, opened."""

    def __init__(self, folder: Path) -> None:
        self.classes: list[str] = json.loads((folder / "job.json").read_text(encoding="utf-8"))["classes"]
        self._session = opened(folder / "model.onnx")
        self._input = self._session.get_inputs()[0].name

    def top(self, pixels: np.ndarray) -> tuple[str, float]:
        """The most probable class of a sample, and its probability."""
        logits = self._session.run(None, {self._input: pixels})[0][0]
        powers = np.exp(logits - logits.max())
        best = int(powers.argmax())
        return self.classes[best], float(powers[best] / powers.sum())


def opened(path: Path) -> onnxruntime.InferenceSession:
    """The graph at `path` on the processor, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def decoded(png: bytes) -> np.ndarray:
    """The grey pixels of a picture."""
    return grey(Image.open(io.BytesIO(png)))


def grey(picture: Image.Image) -> np.ndarray:
    """The grey pixels of an opened picture, as the graph takes them."""
    return np.asarray(picture.convert("L"))[None, None]


def numbers(tensor: dict[str, Any]) -> np.ndarray:
    """The pixels that an input of the Open Inference Protocol brings as JSON numbers."""
    return np.array(tensor["data"], np.uint8).reshape(tensor["shape"])


def reply(label: str, score: float) -> dict[str, Any]:
    """An answer as the Open Inference Protocol has it."""
    outputs = [
        {"name": "label", "shape": [1], "datatype": "BYTES", "data": [label]},
        {"name": "score", "shape": [1], "datatype": "FP32", "data": [score]},
    ]
    return {"model_name": "digits", "outputs": outputs}
