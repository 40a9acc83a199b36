"""Static int8: weights and activations in 8 bits, scales fixed beforehand on training samples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnx
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

    `samples` training samples, encoded as the server encodes them, fix the scales by `ranges`. `reduce_range` keeps
    weights to 7 bits, for processors whose 8-bit products saturate (no VNNI). Jacob et al. 2018.
    """
    ready = prepared(candidate, context.folder)
    out = context.folder / "int8_static.onnx"
    with quiet():
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
        )
    return candidate.with_graph(stripped(out))


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives one sample at a time, with a batch axis in front."""

    def __init__(self, samples: Sequence[Arrays], names: Sequence[str]) -> None:
        self._left = iter(samples)
        self._names = names

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next sample's inputs, or None at the end."""
        sample: Any = next(self._left, None)
        return None if sample is None else {name: sample[name][None] for name in self._names}


def _names(graph: Path) -> list[str]:
    return [item.name for item in onnx.load(graph, load_external_data=False).graph.input]
