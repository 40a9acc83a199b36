"""What every rival answers with: the job's graph in ONNX Runtime on one thread, and all classes by probability.

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

Ranking = tuple[list[str], list[float]]
"""Labels and their probabilities."""

_SHOWN = 5


class Model:
    """The job in `folder`, opened."""

    def __init__(self, folder: Path) -> None:
        self.classes: list[str] = json.loads((folder / "job.json").read_text(encoding="utf-8"))["classes"]
        self._session = opened(folder / "model.onnx")
        self._input = self._session.get_inputs()[0].name

    def ranking(self, pixels: np.ndarray) -> Ranking:
        """Every class of a sample with its probability, the most probable first."""
        logits = self._session.run(None, {self._input: pixels})[0][0]
        powers = np.exp(logits - logits.max())
        order = np.argsort(-powers)
        return [self.classes[index] for index in order.tolist()], (powers[order] / powers.sum()).tolist()


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


def tensors(ranking: Ranking) -> dict[str, Any]:
    """An answer as the Open Inference Protocol has it: two tensors."""
    labels, scores = ranking
    outputs = [
        {"name": "label", "shape": [1, len(labels)], "datatype": "BYTES", "data": labels},
        {"name": "score", "shape": [1, len(scores)], "datatype": "FP32", "data": scores},
    ]
    return {"model_name": "digits", "outputs": outputs}


def first(ranking: Ranking) -> list[dict[str, Any]]:
    """An answer to people: the first five classes."""
    return [{"label": label, "score": score} for label, score in zip(*ranking, strict=True)][:_SHOWN]
