"""ONNX graphs before and after quantisation."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from lepton.compress._candidate import Candidate
from lepton.core.errors import UserError
from lepton.export.onnx import strip

_GIVES_UP = (ValueError, RuntimeError, KeyError, TypeError, AttributeError, IndexError)


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
    """Keep the advice of ONNX Runtime's tools, which was followed, out of the user's sight.

    Where they give up on a graph, as on some that were made elsewhere, the method cannot work on it: UserError.
    """
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except _GIVES_UP as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError("ONNX Runtime's tools cannot work on this graph", rule=said) from error
    finally:
        logger.setLevel(level)
