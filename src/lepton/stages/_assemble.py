"""Putting an app folder together from a candidate: its graph, its transform, and how it decodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from lepton.bundle import manifest
from lepton.bundle.manifest import Bundle, Graph, Manifest, Tensor, Transform
from lepton.compress._candidate import Candidate


@dataclass(frozen=True)
class Parts:
    """What an app says beside its candidate: name and task, how answers are decoded, and more of its manifest."""

    name: str
    task: str
    decode: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def write(
    folder: Path, parts: Parts, candidate: Candidate, *, files: Mapping[str, bytes | Path] | None = None
) -> Bundle:
    """Write the app folder around `candidate`, which has a graph; without a decode of `parts` its own is used."""
    if candidate.graph is None:
        raise RuntimeError("the candidate was not exported")
    name, fitted = candidate.transform
    model = onnx.load(candidate.graph, load_external_data=False).graph
    open_to_others = {value.name for value in model.initializer}
    described = Manifest(
        name=parts.name,
        task=parts.task,
        graphs={"model": Graph(file="model.onnx", batchable=candidate.batchable)},
        transform=Transform(name=name, settings=dict(fitted.settings), files=tuple(sorted(fitted.files))),
        decode=dict(parts.decode or candidate.described["decode"]),
        classes=tuple(candidate.described["classes"]),
        inputs=tuple(_tensor(value) for value in model.input if value.name not in open_to_others),
        outputs=tuple(map(_tensor, model.output)),
        **parts.more,
    )
    return manifest.write(folder, described, {"model.onnx": candidate.graph, **fitted.files, **(files or {})})


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    axes = value.type.tensor_type.shape.dim
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in axes)
    return Tensor(name=value.name, dtype=kind, shape=shape)
