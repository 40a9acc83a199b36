"""From a PyTorch network to an ONNX graph: dynamic batch and length, nothing in it but what answers need."""

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx
import torch
from torch import Tensor, nn

OPSET = 18
"""The newest opset that every runtime of the last years reads."""


Apart = Mapping[str, Collection[int]]
"""Tensors of a network that others may take the place of, by name, and the axes that those may have longer."""


def export(
    network: nn.Module,
    example: Mapping[str, Tensor],
    path: Path,
    *,
    lengths: Sequence[str] = (),
    apart: Apart = MappingProxyType({}),
) -> None:
    """Write `network` as ONNX to `path`.

    `example` has the inputs by name in order, with a batch of at least 2 (a batch of 1 would fix that axis); `lengths`
    names those whose second axis varies. The output is called "logits". The same weights give the same bytes, from
    whatever folder: names of source files, which exporters put into metadata, are taken out. Tensors kept `apart` are
    inputs of the graph as well, under their own names, and what they are in the network holds where nothing is fed;
    those without a say are left out.
    """
    network.eval()
    _forget_kernels()
    inputs = tuple(_axes(name in lengths) for name in example)
    held = tuple(network.state_dict()[name] for name in apart)
    free = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in apart.values())
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            _Handed(network.cpu(), tuple(apart)) if apart else network,
            (tuple(example.values()), held) if apart else tuple(example.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=[*example, *apart],
            output_names=["logits"],
            dynamic_shapes=(inputs, free) if apart else (inputs,),
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter gave nothing")
    model = _named_axes(strip(program.model_proto), bool(lengths), apart)
    _keep(model, dict(zip(apart, held, strict=True)))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


class _Handed(nn.Module):
    """A network that is handed some of its tensors beside its inputs, so that no exporter folds them away."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, inputs: tuple[Tensor, ...], tensors: tuple[Tensor, ...]) -> Any:
        return torch.func.functional_call(self.network, dict(zip(self.names, tensors, strict=True)), inputs)


def _keep(model: onnx.ModelProto, tensors: Mapping[str, Tensor]) -> None:
    """Give the inputs that stand for `tensors` these as values, in place, and take out those that nobody reads."""
    read = {name for node in model.graph.node for name in node.input}
    for value in [each for each in model.graph.input if each.name in tensors]:
        if value.name in read:
            model.graph.initializer.append(onnx.numpy_helper.from_array(tensors[value.name].numpy(), value.name))
        else:
            model.graph.input.remove(value)


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


def _named_axes(model: onnx.ModelProto, varies: bool, apart: Apart) -> onnx.ModelProto:
    """Call the varying axes batch and length, and those of what is kept apart classes.

    The exporter's own names count up within a process. It writes down the example's length for answers that have one
    for each token.
    """
    held = [value for value in model.graph.input if value.name in apart]
    symbols = dict.fromkeys(axis.dim_param for value in held for axis in _axes_of(value) if axis.HasField("dim_param"))
    free = {symbol: f"classes{place or ''}" for place, symbol in enumerate(symbols)}
    for value in [*model.graph.input, *model.graph.output]:
        for axis, name in zip_longest(_axes_of(value), ("batch", "length")):
            if axis is not None and axis.HasField("dim_param"):
                axis.dim_param = free.get(axis.dim_param) or name or axis.dim_param
    for value in model.graph.output:
        if varies and len(_axes_of(value)) == 3:
            _axes_of(value)[1].dim_param = "length"
    return model


def _axes_of(value: onnx.ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim


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
