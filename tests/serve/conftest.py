"""Apps of every task, in full precision and in int8, each packaged as Lepton packages them."""

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from onnxruntime import quantization
from PIL import Image

from lepton.bundle.manifest import Graph, write
from lepton.core.types import Raw
from lepton.runtime import batches
from lepton.runtime.app import App, load
from lepton.runtime.samples import samples

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
TASKS = {"image": "image-classification", "audio": "audio-classification", "text": "text-classification"}


class _Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Pictures, encoded, for the ranges of a static graph."""

    def __init__(self, app: App, raws: list[Raw]) -> None:
        self._left = iter([dict(app.collate([app.encode(raw)])) for raw in raws])

    def get_next(self) -> Any:
        return next(self._left, None)


@pytest.fixture(scope="session")
def every_app(tmp_path_factory: pytest.TempPathFactory) -> dict[str, App]:
    """Apps by name: one a task, and the image app in static and in dynamic int8."""
    folder = tmp_path_factory.mktemp("apps")
    found = {name: load(APPS / task) for name, task in {**TASKS, "entities": "token-classification"}.items()}
    image = found["image"]
    source = image.bundle.path("model.onnx")
    static, dynamic = folder / "static.onnx", folder / "dynamic.onnx"
    quantization.quantize_static(
        source, static, _Calibration(image, pictures(8)), extra_options={"DisableShapeInference": True}
    )
    quantization.quantize_dynamic(source, dynamic)
    found["static"] = again(image, folder / "static", graph=static, batchable=True)
    found["dynamic"] = again(image, folder / "dynamic", graph=dynamic, batchable=False)
    return {name: _exact(app, folder / f"exact-{name}") for name, app in found.items()}


@pytest.fixture(scope="session")
def raws() -> dict[str, list[Raw]]:
    """Inputs for every app."""
    found = {name: samples(load(APPS / task))[0] for name, task in TASKS.items()}
    seen = pictures(5)
    return {**found, "image": seen, "entities": found["text"], "static": seen, "dynamic": seen}


def pictures(count: int) -> list[Raw]:
    """Noise, each brighter than the one before, so that the scale of a batch is none of a picture's own."""
    random = np.random.default_rng(1)
    found: list[Raw] = []
    for index in range(count):
        stream = io.BytesIO()
        pixels = random.integers(0, 40 + 215 * index // max(1, count - 1), (8, 8), np.uint8)
        Image.fromarray(pixels).save(stream, "PNG")
        found.append(stream.getvalue())
    return found


def again(app: App, folder: Path, *, graph: Path | None = None, batchable: bool) -> App:
    """The app written anew, with another graph perhaps."""
    files: dict[str, bytes | Path] = {name: app.bundle.path(name) for name in app.manifest.files}
    files["model.onnx"] = graph or files["model.onnx"]
    graphs = {"model": Graph(file="model.onnx", batchable=batchable)}
    write(folder, msgspec.structs.replace(app.manifest, graphs=graphs), files)
    return load(folder)


def _exact(app: App, folder: Path) -> App:
    """The app, which runs one input at a time where company would change a bit: so it is packaged on this machine."""
    raws = samples(app)[0][:2]
    return app if not app.batchable or batches.exact(app, raws) else again(app, folder, batchable=False)
