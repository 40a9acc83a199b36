"""Dynamic int8: weights in 8 bits, activation scales computed from each batch as it comes."""

from collections.abc import Mapping
from typing import Any

from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

from lepton.compress._candidate import Candidate, Context
from lepton.compress._graphs import prepared, quiet, stripped

TAKES, GIVES = ("graph",), "quantised"
AUTO: tuple[Mapping[str, Any], ...] = ({},)


def compress(
    candidate: Candidate, context: Context, *, per_channel: bool = True, reduce_range: bool = False
) -> Candidate:
    """Write a graph whose matrix products and look-ups have int8 weights.

    Their scales follow from the whole batch, so an answer would depend on its company: the result is not batchable.
    `reduce_range` keeps weights to 7 bits, for processors without VNNI.
    """
    ready = prepared(candidate, context.folder)
    out = context.folder / "int8_dynamic.onnx"
    with quiet():
        quantize_dynamic(
            ready,
            out,
            per_channel=per_channel,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
            # Fused kernels have no shape inference, so the type of what they give has to be said.
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
    return candidate.with_graph(stripped(out), batchable=False)
