"""From a PyTorch network to an ONNX graph: dynamic batch and length, nothing in it but what answers need."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

OPSET = 18
"""The newest opset that every runtime of the last years reads."""


def export(network: nn.Module, example: dict[str, Tensor], path: Path, *, lengths: Sequence[str] = ()) -> None:
    """Write `network` as ONNX to `path`.

    `example` has the inputs by name in order, with a batch of at least 2 (a batch of 1 would fix that axis); `lengths`
    names those whose second axis varies. The output is called "logits". The same weights give the same bytes, from
    whatever folder: names of source files, which exporters put into metadata, are taken out.
    """
    network.eval()
    _forget_kernels()
    shapes = tuple(_axes(name in lengths) for name in example)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network.cpu(),
            tuple(example.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(example),
            output_names=["logits"],
            dynamic_shapes=(shapes,),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter gave nothing")
    model = _named_axes(strip(program.model_proto), bool(lengths))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out metadata, documentation and shapes of inner values, in place; returns the model."""
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.value_info[:]
    for part in [model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        part.doc_string = ""
        del part.metadata_props[:]
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
    return model


def _named_axes(model: onnx.ModelProto, varies: bool) -> onnx.ModelProto:
    """Call the varying axes batch and length; the exporter's own names count up within a process.

    It writes down the example's length for answers that have one for each token.
    """
    for value in [*model.graph.input, *model.graph.output]:
        axes = value.type.tensor_type.shape.dim
        for axis, name in zip(axes, ("batch", "length"), strict=False):
            if axis.HasField("dim_param"):
                axis.dim_param = name
    for value in model.graph.output:
        axes = value.type.tensor_type.shape.dim
        if varies and len(axes) == 3:
            axes[1].dim_param = "length"
    return model


def _forget_kernels() -> None:
    """Let the exporter's own kernels for recurrent layers be found again.

    It registers them for each export, but an operator that was used since remembers another one, whose sequence
    length is fixed: a second recurrent network of a process could not be exported.
    """
    for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
        operator._dispatch_cache.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of optional packages and of its own deprecations; neither is the user's affair."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logger.setLevel(level)


def _axes(varies: bool) -> dict[int, object]:
    batch = torch.export.Dim.DYNAMIC
    return {0: batch, 1: torch.export.Dim.DYNAMIC} if varies else {0: batch}
