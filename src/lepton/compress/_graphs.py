"""ONNX graphs before and after quantisation."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from lepton.compress._candidate import Candidate
from lepton.export.onnx import strip


def prepared(candidate: Candidate, folder: Path) -> Path:
    """A copy of the candidate's graph with shapes inferred and nodes folded, as quantisation wants it."""
    out = folder / "prepared.onnx"
    with quiet():
        quant_pre_process(graph_of(candidate), out, skip_symbolic_shape=True)
    return out


def graph_of(candidate: Candidate) -> Path:
    """The graph of a candidate; the stage exports it before a method that takes one."""
    if candidate.graph is None:
        raise RuntimeError("the candidate was not exported")
    return candidate.graph


def stripped(path: Path) -> Path:
    """Take what answers do not need out of the graph at `path`, in place."""
    model = strip(onnx.load(path))
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the quantiser's advice on pre-processing, which was done, out of the user's sight."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)
