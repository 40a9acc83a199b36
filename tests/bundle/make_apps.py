"""Makes `apps/v1`: one tiny app a task, kept in the repository so that every later Lepton goes on loading them.

`apps/v2` has one with adapters, which came with that format. Run it again only for a new format: what is there is
never made anew.
"""

import io
import sys
import wave
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import AdapterFormat, OrtValue
from PIL import Image

from lepton.bundle import golden
from lepton.bundle.manifest import Adapter, Graph, Manifest, Tensor, Transform, write
from lepton.core import plugins
from lepton.runtime.app import load

RANDOM = np.random.default_rng(0)
TEXTS = [
    "where is my card",
    "cancel the card that I lost in Lyon",
    "the exchange rate is wrong",
    "Zoë paid in Köln, twice",
    "rate",
    "我的卡在哪里",
]
IDS = [
    ("input_ids", TensorProto.INT64, ["batch", "length"]),
    ("attention_mask", TensorProto.INT64, ["batch", "length"]),
]


def main(place: Path) -> None:
    for name, make in {"v1": one_a_task, "v2": with_adapters}.items():
        if not (place / name).exists():
            make(place / name)


def one_a_task(folder: Path) -> None:
    image = [_png(index) for index in range(3)]
    audio = [_wav(index) for index in range(2)]
    classes = ["alpha", "beta", "gamma"]
    _make(folder, "image-classification", ("image", image, {"size": 8, "channels": 1}), (_image(), classes))
    _make(folder, "audio-classification", ("logmel", audio, {"seconds": 0.25, "mels": 8}), (_audio(), classes))
    _make(folder, "text-classification", ("tokens", TEXTS, {"vocabulary": 120}), (_text(), classes))
    _make(folder, "token-classification", ("tokens", TEXTS, {"vocabulary": 120}), (_entities(), ["place", "person"]))


def with_adapters(folder: Path) -> None:
    """An app on one table of vectors, whose adapters bring the weights of three classes and of two."""
    heads = {"cards": ("card", "rate", "fee"), "moods": ("glad", "cross")}
    fitted = plugins.load("transforms", "tokens").fit(TEXTS, vocabulary=120)
    files: dict[str, bytes | Path] = {**fitted.files}
    for name, classes in heads.items():
        weights = RANDOM.standard_normal((8, len(classes))).astype(np.float32)
        files[f"adapters/{name}.onnx_adapter"] = _adapter({"weights": weights})
    graph = _open(_text(), "weights")
    adapters = {
        name: Adapter(file=f"adapters/{name}.onnx_adapter", decode={"name": "softmax"}, classes=classes)
        for name, classes in heads.items()
    }
    manifest = Manifest(
        name="tiny-adapters",
        task="text-classification",
        graphs={"model": Graph(file="model.onnx")},
        transform=Transform(name="tokens", settings=dict(fitted.settings), files=tuple(sorted(fitted.files))),
        decode={"name": "softmax"},
        classes=heads["cards"],
        inputs=tuple(map(_tensor, graph.graph.input[:2])),
        outputs=tuple(map(_tensor, graph.graph.output)),
        provenance={"made_by": "tests/bundle/make_apps.py"},
        adapters=adapters,
    )
    files |= {"model.onnx": graph.SerializeToString(), "CARD.md": b"# tiny-adapters\n"}
    place = folder / manifest.task
    write(place, manifest, files)
    answered = {view.adapter: list(zip(TEXTS, view.predict(TEXTS), strict=True)) for view in load(place).views}
    write(place, manifest, {**files, **golden.files_by_adapter(answered)})


def _adapter(tensors: dict[str, np.ndarray]) -> bytes:
    made = AdapterFormat()
    made.set_parameters({name: OrtValue.ortvalue_from_numpy(value) for name, value in tensors.items()})
    with TemporaryDirectory() as folder:
        made.export_adapter(str(Path(folder) / "made"))
        return (Path(folder) / "made").read_bytes()


def _open(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The model with its initializer `name` as an input too, of as many columns as whoever feeds it likes."""
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, "classes"]))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    onnx.checker.check_model(model)
    return model


def _make(folder: Path, task: str, data: tuple, model: tuple) -> None:
    transform, raws, settings = data
    graph, classes = model
    fitted = plugins.load("transforms", transform).fit(raws, **settings)
    manifest = Manifest(
        name=f"tiny-{task}",
        task=task,
        graphs={"model": Graph(file="model.onnx")},
        transform=Transform(name=transform, settings=dict(fitted.settings), files=tuple(sorted(fitted.files))),
        decode={"name": "bio" if task == "token-classification" else "softmax"},
        classes=tuple(classes),
        inputs=tuple(map(_tensor, graph.graph.input)),
        outputs=tuple(map(_tensor, graph.graph.output)),
        contract={"asked": {"size_mb": 0.05, "latency": {"p95_ms": 1000.0, "batch": 1, "threads": 1}}},
        provenance={"made_by": "tests/bundle/make_apps.py"},
    )
    files = {"model.onnx": graph.SerializeToString(), "CARD.md": f"# {manifest.name}\n".encode(), **fitted.files}
    place = folder / task
    write(place, manifest, files)
    write(place, manifest, {**files, **golden.files(raws, load(place).predict(raws), tolerance=1e-3)})


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    axes = value.type.tensor_type.shape.dim
    return Tensor(name=value.name, dtype=kind, shape=tuple(axis.dim_value or None for axis in axes))


def _weights(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32), name)


def _model(nodes: list, inputs: list, weights: list, rank: int = 2) -> onnx.ModelProto:
    ins = [helper.make_tensor_value_info(*item) for item in inputs]
    out = helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, ["batch", "length", 5][-rank:] if rank == 3 else ["batch", 3]
    )
    made = helper.make_model(
        helper.make_graph(nodes, "tiny", ins, [out], weights), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.checker.check_model(made)
    return made


def _image() -> onnx.ModelProto:
    scale = numpy_helper.from_array(np.float32(1 / 255), "scale")
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    return _model(nodes, [("image", TensorProto.UINT8, ["batch", 1, 8, 8])], [scale, _weights("weights", 64, 3)])


def _audio() -> onnx.ModelProto:
    axis = numpy_helper.from_array(np.array([1]), "axis")
    nodes = [
        helper.make_node("ReduceMean", ["features", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    return _model(nodes, [("features", TensorProto.FLOAT, ["batch", "length", 8])], [axis, _weights("weights", 8, 3)])


def _text() -> onnx.ModelProto:
    one, last = numpy_helper.from_array(np.array([1]), "one"), numpy_helper.from_array(np.array([2]), "last")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    return _model(nodes, IDS, [one, last, _weights("table", 200, 8), _weights("weights", 8, 3)])


def _entities() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("MatMul", ["vectors", "weights"], ["logits"]),
    ]
    # It has no use for the mask: only what a graph asks for may be fed.
    return _model(nodes, IDS[:1], [_weights("table", 200, 8), _weights("weights", 8, 5)], rank=3)


def _png(index: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(index).integers(0, 256, (8, 8), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _wav(index: int) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        time = np.arange(2000) / 8000
        sound.writeframes((np.sin(2 * np.pi * (300 + 900 * index) * time) * 8000).astype("<i2").tobytes())
    return stream.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "apps")
