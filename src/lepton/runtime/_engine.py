"""One ONNX graph as a function from arrays to arrays."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from lepton.core.errors import UserError
from lepton.core.types import Arrays

_REFUSALS = (states.Fail, states.InvalidGraph, states.InvalidProtobuf, states.NotImplemented, states.InvalidArgument)


class Graph:
    """An opened graph: `inputs` and `outputs` are the names of its arrays in order."""

    __slots__ = ("_adapter", "_options", "_session", "inputs", "outputs")

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Open the ONNX file at `path` on the processor with `threads` threads.

        Raises UserError when this ONNX Runtime cannot read it.
        """
        try:
            self._session = onnxruntime.InferenceSession(path, options(threads), providers=["CPUExecutionProvider"])
        except _REFUSALS as error:
            raise UserError(
                f"{path} cannot be opened",
                rule=f"It must be a graph that ONNX Runtime {onnxruntime.__version__} knows",
                received=str(error),
                remedy="Upgrade ONNX Runtime: pip install -U onnxruntime",
            ) from error
        self._options: Any = None
        self._adapter: Any = None
        self.inputs: Sequence[str] = [item.name for item in self._session.get_inputs()]
        self.outputs: Sequence[str] = [item.name for item in self._session.get_outputs()]

    def __call__(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Run the graph on a batch; arrays that are no inputs of it are left out."""
        found = self._session.run(self.outputs, {name: arrays[name] for name in self.inputs}, self._options)
        return dict(zip(self.outputs, found, strict=True))

    def adapted(self, path: Path) -> "Graph":
        """The same opened graph with the tensors of the adapter at `path`, which is mapped into memory, not read.

        Raises UserError when this ONNX Runtime cannot map it.
        """
        found = copy.copy(self)
        found._adapter, found._options = onnxruntime.LoraAdapter(), onnxruntime.RunOptions()
        try:
            found._adapter.Load(str(path))
            found._options.add_active_adapter(found._adapter)
        except (RuntimeError, *_REFUSALS) as error:
            raise UserError(
                f"{path} cannot be opened",
                rule=f"It must be an adapter that ONNX Runtime {onnxruntime.__version__} knows",
                received=str(error),
                remedy="Upgrade ONNX Runtime, or join the runs again",
            ) from error
        return found


def options(threads: int) -> Any:
    """Session options, each set on purpose; `threads` is the number used inside an operator."""
    onnxruntime.disable_telemetry_events()
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    chosen.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # What fails is raised with its reason; the library would tell it once more, in colours, wherever this runs.
    chosen.log_severity_level = 4
    # Waiting threads that spin gain little and burn a whole core each, ten times the processor time of a small model.
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen
