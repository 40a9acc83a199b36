"""Fusing a transformer's graph: attention, layer normalisation and GELU become single kernels.

ONNX Runtime's own transformer optimiser does it where it knows the pattern; answers change by rounding alone.
"""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Annotated, Any

import onnx
from onnxruntime.transformers import optimizer

from lepton.compress._candidate import Candidate, Context
from lepton.compress._graphs import prepared, quiet, stripped
from lepton.core.errors import UserError
from lepton.core.settings import Range

TAKES, GIVES = ("graph",), "graph"
AUTO: tuple[Mapping[str, Any], ...] = ({},)

_FUSED = {
    "Attention",
    "MultiHeadAttention",
    "SkipLayerNormalization",
    "EmbedLayerNormalization",
    "FastGelu",
    "BiasGelu",
}


def compress(
    candidate: Candidate,
    context: Context,
    *,
    heads: Annotated[int, Range(0, 1024)] = 0,
    width: Annotated[int, Range(0, 65_536)] = 0,
) -> Candidate:
    """Write a graph with fused kernels. `heads` and `width` of the attention are found out where they are 0.

    Raises UserError where nothing matches, as in networks that have no attention.
    """
    ready = prepared(candidate, context.folder)
    with quiet(), redirect_stdout(io.StringIO()):  # failed guesses at shapes are printed
        fused = optimizer.optimize_model(
            str(ready), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0, use_gpu=False
        )
    kinds = {node.op_type for node in fused.model.graph.node}
    if not _FUSED & kinds:
        raise UserError(
            "There is nothing to fuse",
            rule="The graph must hold a transformer that ONNX Runtime's optimiser knows",
            received=f"a graph of {', '.join(sorted(kinds))}",
            remedy='Leave "fuse" out of compress.passes',
        )
    out = context.folder / "fused.onnx"
    onnx.save(fused.model, out)
    return candidate.with_graph(stripped(out))
