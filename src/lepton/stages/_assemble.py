"""Putting an app folder together from a trained model and a graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from lepton.bundle import manifest
from lepton.bundle.manifest import Bundle, Graph, Manifest, Tensor, Transform
from lepton.stages import _encoded


@dataclass(frozen=True)
class Parts:
    """What an app is made of, but for the graph: the train stage's folder and description, name and task."""

    name: str
    task: str
    trained: Path
    described: Mapping[str, Any]
    decode: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)


def write(
    folder: Path, parts: Parts, graph: tuple[Path, bool], *, files: Mapping[str, bytes | Path] | None = None
) -> Bundle:
    """Write the app folder around `graph` (its file, and whether batches may share a run)."""
    path, batchable = graph
    transform, fitted = _encoded.load(parts.trained)
    model = onnx.load(path, load_external_data=False).graph
    described = Manifest(
        name=parts.name,
        task=parts.task,
        graphs={"model": Graph(file="model.onnx", batchable=batchable)},
        transform=Transform(name=transform, settings=dict(fitted.settings), files=tuple(sorted(fitted.files))),
        decode=dict(parts.decode),
        classes=tuple(parts.described["classes"]),
        inputs=tuple(map(_tensor, model.input)),
        outputs=tuple(map(_tensor, model.output)),
        **parts.more,
    )
    return manifest.write(folder, described, {"model.onnx": path, **fitted.files, **(files or {})})


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    axes = value.type.tensor_type.shape.dim
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in axes)
    return Tensor(name=value.name, dtype=kind, shape=shape)
