"""Static int8: weights and activations in 8 bits, scales fixed beforehand on training samples."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, shape_inference
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from lepton.compress._candidate import Candidate, Context
from lepton.compress._graphs import prepared, quiet, stripped
from lepton.core.settings import Range
from lepton.core.types import Arrays

TAKES, GIVES = ("graph",), "quantised"
AUTO: tuple[Mapping[str, Any], ...] = ({},)

_RANGES = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}

_TOGETHER = 16


def compress(
    candidate: Candidate,
    context: Context,
    *,
    samples: Annotated[int, Range(1, 100_000)] = 256,
    per_channel: bool = True,
    reduce_range: bool = False,
    ranges: Literal["minmax", "entropy", "percentile"] = "minmax",
) -> Candidate:
    """Write a QDQ graph with uint8 activations and int8 weights (U8S8), one scale for each output channel.

    `samples` training samples, encoded as the server encodes them, fix the scales by `ranges`. Jacob et al. 2018.

    x86 processors without VNNI add two u8 x s8 products in 16 bits (vpmaddubsw), and what does not fit is cut off at
    32,767: their answers can be worse than those measured here. `reduce_range` keeps weights to 7 bits, -64 to 64, so
    that no pair can be too large (2 x 255 x 64 = 32,640) and every processor computes the same, at a coarser grid.
    """
    ready = _typed(prepared(candidate, context.folder))
    out = context.folder / "int8_static.onnx"
    with quiet(), redirect_stdout(io.StringIO()):  # histograms are announced by printing
        quantize_static(
            ready,
            out,
            _Reader(context.workshop.samples(candidate, samples), _names(ready)),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            reduce_range=reduce_range,
            calibrate_method=_RANGES[ranges],
            extra_options={"CalibStridedMinMax": 1},
        )
    return candidate.with_graph(stripped(out))


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives one sample at a time, with a batch axis in front, of a group of equal shapes: histograms want that."""

    def __init__(self, samples: Sequence[Arrays], names: Sequence[str]) -> None:
        self._groups = list(_groups(samples))
        self._names = names
        self._left: Iterator[Arrays] = iter(())

    def __len__(self) -> int:
        return len(self._groups)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Begin with a group; ranges are of one group each (CalibStridedMinMax, whatever the method)."""
        self._left = iter(self._groups[start_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next sample's inputs, or None at the end of the group."""
        sample: Any = next(self._left, None)
        return None if sample is None else {name: sample[name][None] for name in self._names}


def _groups(samples: Sequence[Arrays]) -> Iterator[list[Arrays]]:
    """Samples of equal shapes, few enough that all their inner values fit into memory."""
    alike: dict[Any, list[Arrays]] = {}
    for sample in samples:
        alike.setdefault(tuple(array.shape for array in sample.values()), []).append(sample)
    for group in alike.values():
        yield from (group[start : start + _TOGETHER] for start in range(0, len(group), _TOGETHER))


def _typed(graph: Path) -> Path:
    """Say in place what fused kernels give: without it nothing behind them would be known, and so be quantised."""
    model = onnx.load(graph)
    known = {value.name for value in model.graph.value_info}
    unknown = (name for node in model.graph.node if node.domain for name in node.output if name and name not in known)
    model.graph.value_info.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in unknown)
    onnx.save(shape_inference.infer_shapes(model), graph)
    return graph


def _names(graph: Path) -> list[str]:
    return [item.name for item in onnx.load(graph, load_external_data=False).graph.input]
