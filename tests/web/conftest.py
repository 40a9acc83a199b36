"""Tiny apps that answer by a rule anybody can see, made in code, and servers that answer for them."""

import io
import json
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lepton.bundle.manifest import Graph, Manifest, Tensor, Transform, write
from lepton.core import plugins
from lepton.runtime.app import load

TEXT_APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
KEY = "a-key-for-the-console"
RATE = 8000

CARD = """# shapes

Tells standing strokes from lying ones.

- Task: image-classification

## Figures

| | accuracy |
|---|---|
| this app | 0.98 [0.95, 0.99] |
"""
CLAUSES = [
    {"name": "drop (95 % bound)", "asked": 0.02, "measured": 0.01, "kept": True, "note": "the contract"},
    {"name": "latency p95 (ms)", "asked": 20.0, "measured": 0.5, "kept": True},
    {"name": "size (MB)", "asked": 0.15, "measured": 0.05, "kept": True},
]


def trial(plan: str, metric: float, costs: tuple[float, float], *, kept: bool) -> dict[str, Any]:
    time, size = costs
    return {
        "plan": plan, "metric": metric, "drop_bound": 0.01, "model_ms": time, "p95_ms": 3 * time,
        "size_mb": size, "kept": kept,
    }  # fmt: skip


FIGURES = {
    "test": {
        "n": 359,
        "metrics": {"accuracy": {"value": 0.98, "low": 0.95, "high": 0.99}},
        "baselines": [{"name": "majority class", "metrics": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}}],
        "lower_is_better": [],
    },
    "search": {
        "metric": "accuracy",
        "lower_is_better": False,
        "records": 200,
        "drop": 0.02,
        "limits": {clause["name"]: clause["asked"] for clause in CLAUSES},
        "shipped": "student cnn",
        "reference": "fp32 ONNX",
        "trials": [
            trial("fp32 ONNX", 0.985, (2.0, 0.4), kept=False),
            trial("int8", 0.984, (1.0, 0.12), kept=True),
            trial("student cnn", 0.98, (0.2, 0.05), kept=True),
            trial("pruned", 0.91, (0.5, 0.08), kept=False),
        ],
    },
}


def model(nodes: Sequence[Any], inputs: tuple[str, int, list[Any]], constants: dict[str, Any]) -> onnx.ModelProto:
    """A graph of `nodes` from one input (name, type, shape) to logits."""
    given = helper.make_tensor_value_info(*inputs)
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", None])
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "rule", [given], [out], kept)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made)
    return made


def strokes() -> onnx.ModelProto:
    """Standing where the fullest column holds more than the fullest row, else lying."""
    constants = {"scale": np.float32(50), "rows": np.array([2]), "columns": np.array([3]), "flat": np.array([1, 2])}
    nodes = [
        helper.make_node("Cast", ["image"], ["raw"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["raw", "scale"], ["pixels"]),
        helper.make_node("ReduceSum", ["pixels", "rows"], ["by_column"], keepdims=0),
        helper.make_node("ReduceSum", ["pixels", "columns"], ["by_row"], keepdims=0),
        helper.make_node("ReduceMax", ["by_row", "flat"], ["lying"], keepdims=0),
        helper.make_node("ReduceMax", ["by_column", "flat"], ["standing"], keepdims=0),
        helper.make_node("Unsqueeze", ["lying", "axis"], ["lying_1"]),
        helper.make_node("Unsqueeze", ["standing", "axis"], ["standing_1"]),
        helper.make_node("Concat", ["lying_1", "standing_1"], ["logits"], axis=1),
    ]
    return model(nodes, ("image", TensorProto.UINT8, ["batch", 1, 8, 8]), {**constants, "axis": np.array([1])})


def colours() -> onnx.ModelProto:
    """The colour that there is most of."""
    nodes = [
        helper.make_node("Cast", ["image"], ["raw"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["raw", "scale"], ["pixels"]),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["logits"], keepdims=0),
    ]
    constants = {"scale": np.float32(50), "axes": np.array([2, 3])}
    return model(nodes, ("image", TensorProto.UINT8, ["batch", 3, 32, 32]), constants)


def pitch() -> onnx.ModelProto:
    """Low where the lower half of the bands is louder, else high."""
    halves = np.zeros((16, 2), np.float32)
    halves[:8, 0] = halves[8:, 1] = 1 / 8
    nodes = [
        helper.make_node("ReduceMean", ["features", "time"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "halves"], ["logits"]),
    ]
    inputs = ("features", TensorProto.FLOAT, ["batch", "length", 16])
    return model(nodes, inputs, {"time": np.array([1]), "halves": halves})


def tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    return Tensor(
        name=value.name, dtype=kind, shape=tuple(axis.dim_value or None for axis in value.type.tensor_type.shape.dim)
    )


def make(folder: Path, transform: tuple[str, bytes, dict[str, Any]], graph: onnx.ModelProto, **more: Any) -> Path:
    """Write an app around a graph; its transform is fitted to one input."""
    name, raw, settings = transform
    fitted = plugins.load("transforms", name).fit([raw], **settings)
    beside = more.pop("beside", {})
    manifest = Manifest(
        name=folder.name,
        graphs={"model": Graph(file="model.onnx")},
        transform=Transform(name=name, settings=dict(fitted.settings)),
        decode={"name": "softmax"},
        inputs=tuple(map(tensor, graph.graph.input)),
        outputs=tuple(map(tensor, graph.graph.output)),
        **more,
    )
    write(folder, manifest, {"model.onnx": graph.SerializeToString(), **beside})
    return folder


def picture(size: tuple[int, int], colour: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def tone(hertz: float, *, seconds: float = 2.0) -> bytes:
    stream = io.BytesIO()
    time = np.arange(int(seconds * RATE)) / RATE
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((np.sin(2 * np.pi * hertz * time) * 8000).astype("<i2").tobytes())
    return stream.getvalue()


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An app of each kind, by name."""
    place = tmp_path_factory.mktemp("apps")
    told = {"CARD.md": CARD.encode(), "figures.json": json.dumps(FIGURES).encode()}
    image = picture((8, 8), (9, 9, 9))
    seen = {"size": 32, "channels": 3, "resize": "crop"}
    heard = {"rate": RATE, "seconds": 1.0, "mels": 16, "level": "none"}
    return {
        "shapes": make(
            place / "shapes",
            ("image", image, {"size": 8, "channels": 1}),
            strokes(),
            task="image-classification",
            classes=("lying", "standing"),
            contract={"measured": {"plan": "student cnn", "clauses": CLAUSES}},
            beside=told,
        ),
        "colours": make(
            place / "colours", ("image", image, seen), colours(),
            task="image-classification", classes=("red", "green", "blue"),
        ),
        "pitch": make(
            place / "pitch", ("logmel", tone(500), heard), pitch(),
            task="audio-classification", classes=("low", "high"),
        ),
        "questions": TEXT_APPS / "text-classification",
        "places": TEXT_APPS / "token-classification",
    }  # fmt: skip


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to choose, drop and paste."""
    place = tmp_path_factory.mktemp("samples")
    (place / "red.png").write_bytes(picture((90, 40), (220, 30, 30)))
    (place / "blue.png").write_bytes(picture((40, 40), (30, 30, 220)))
    (place / "broken.png").write_bytes(b"this is no picture")
    (place / "low.wav").write_bytes(tone(150))
    (place / "high.wav").write_bytes(tone(3000))
    return place


@contextmanager
def served(folders: dict[str, Path], *arguments: str) -> Iterator[str]:
    """The address of a server for `folders`, which is ended afterwards."""
    apps = [f"{name}={folder}" for name, folder in folders.items()]
    command = [sys.executable, "-m", "lepton.cli", "serve", *apps, "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        yield "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split()[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="session")
def desk(folders: dict[str, Path], samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All that the tests in the browser are told: two servers, one of which wants a key, files, and right answers."""
    keys = tmp_path_factory.mktemp("keys") / "keys.toml"
    keys.write_text(f'[[key]]\nname = "console"\nkey = "{KEY}"\n')
    text = "where is my card"
    found = load(folders["questions"]).predict(text)[0]["label"]
    with served(folders) as url, served({"colours": folders["colours"]}, "--keys", str(keys)) as locked:
        yield {
            "url": url,
            "locked": locked,
            "key": KEY,
            "samples": str(samples),
            "question": {"text": text, "label": found},
            "trials": len(FIGURES["search"]["trials"]),  # type: ignore[arg-type]
        }
