"""ONNX Runtime as a part of a network: it answers on the processor, and does not learn.

Shapes: B batch, T tokens or time steps, K outputs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as states
from torch import Tensor, nn

from lepton.core.errors import UserError
from lepton.models import _nodes
from lepton.models._shape import Shape

_TRIED, _SHORT = 7, 5  # tokens of the texts that a graph is tried with, and of shorter ones
_TOKENS = ("input_ids", "attention_mask")
_APART = 1e-3  # of the largest score: what may change with the batch by rounding alone
_REFUSALS = (
    states.Fail,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.InvalidArgument,
    states.NotImplemented,
    states.RuntimeException,
)


class Runner(nn.Module):
    """ONNX Runtime around a graph, whose bytes are its state; a copy opens the graph anew.

    The graph takes arrays named `inputs`, in that order, and gives one. Without bytes it is empty until saved weights
    are loaded.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs = list(inputs)
        # Who works with a network asks its weights where they are.
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)
        self._graph = b""
        self._session: onnxruntime.InferenceSession | None = None

    def graph(self) -> bytes:
        """The ONNX file of this network."""
        if not self._graph:
            raise UserError("The graph that was brought is not there any more", remedy="Put it back, or run again")
        return self._graph

    def forward(self, *arrays: Tensor) -> Tensor:
        self._session = self._session or _session(self.graph())
        named = dict(zip(self.inputs, arrays, strict=True))
        given = {item.name: _as(item.type, named[item.name].cpu()) for item in self._session.get_inputs()}
        try:
            (found,) = self._session.run(None, given)
        except _REFUSALS as error:
            raise UserError(
                "The graph cannot answer",
                rule=_nodes.said(error),
                received=", ".join(f"{name} {array.shape}" for name, array in given.items()),
                remedy="Check that the transform is the one that it was made with",
            ) from error
        return torch.from_numpy(found).to(self.place.device)

    def get_extra_state(self) -> Tensor:
        """The graph's bytes, uint8 (N,); none where there is no graph."""
        return torch.tensor(bytearray(self._graph), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor | bytes) -> None:
        """Take other bytes."""
        self._graph = state if isinstance(state, bytes) else state.cpu().numpy().tobytes()
        self._session = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def arrays(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The axes of one sample by name; texts may have any length, also where those at hand have but one."""
    fixed = ("image", "features")
    return {name: axes if name in fixed else (0,) * len(axes) for name, axes in shape.inputs.items()}


def _as(kind: str, array: Tensor) -> np.ndarray:
    """An array in the type of an input; pixels that were augmented, and are floats by that, become whole again."""
    whole = array.round().clamp(0, 255).byte() if kind == "tensor(uint8)" and array.is_floating_point() else array
    return np.asarray(whole.numpy())


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = torch.get_num_threads()
    chosen.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, chosen, providers=["CPUExecutionProvider"])
    except _REFUSALS as error:
        rule = f"ONNX Runtime {onnxruntime.__version__} must know all of it"
        what = "The graph that was brought cannot be opened"
        raise UserError(what, rule=rule, received=_nodes.said(error)) from error


@torch.no_grad()
def check(body: nn.Module, shape: Shape) -> None:
    """Raise UserError where made-up samples do not get a score for each class, or other ones in company or padded."""
    given = made_up(shape)
    alone = torch.cat([body(*(array[index : index + 1] for array in given.values())) for index in range(2)])
    try:
        together = body(*given.values())
    except UserError as error:
        remedy = "Export it with a batch axis that varies"
        raise UserError("The graph takes one sample at a time", rule=error.rule, remedy=remedy) from error
    if together.shape != alone.shape or together.shape[-1] != shape.outputs:
        raise UserError(
            "The graph does not give one score for each class of each sample",
            rule=f"The data have {shape.outputs}",
            received=f"scores of shape {tuple(together.shape)} for two samples",
        )
    _same(alone, together, "what else is in its batch, as with dynamic quantisation")
    if "attention_mask" in given:
        short = {name: array[:, :_SHORT] if name in _TOKENS else array for name, array in given.items()}
        seen = torch.arange(_TRIED) < _SHORT
        padded = {name: array * seen if name in _TOKENS else array for name, array in given.items()}
        found = body(*padded.values())
        _same(body(*short.values()), found[:, :_SHORT] if found.ndim == 3 else found, "padding behind its mask")


def made_up(shape: Shape) -> dict[str, Tensor]:
    """Two samples that the transform could give, by the names of their arrays, in order."""
    random = np.random.default_rng(0)
    return {name: _array(name, (2, *axes), random) for name, axes in arrays(shape).items()}


def _same(one: Tensor, other: Tensor, company: str) -> None:
    if one.shape != other.shape or float((one - other).abs().max()) > _APART * max(1.0, float(one.abs().max())):
        raise UserError(
            "The graph answers otherwise in company",
            rule=f"An answer must not depend on {company}",
            remedy="Bring the graph in floating point, with a mask that it heeds where it reads texts",
        )


def _array(name: str, axes: Sequence[int], random: np.random.Generator) -> Tensor:
    """A batch of what the transform could give: pixels, features, or ids that every vocabulary has."""
    sizes = [size or _TRIED for size in axes]
    if name == "image":
        return torch.from_numpy(random.integers(0, 256, sizes).astype(np.uint8))
    if name in ("features", "weights"):
        return torch.from_numpy(random.normal(size=sizes).astype(np.float32))
    return torch.from_numpy(random.integers(1, 4, sizes) if name != "attention_mask" else np.ones(sizes, np.int64))
