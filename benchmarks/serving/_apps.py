"""The apps that are served: their weights are random but always the same, since speed does not ask for more."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

from lepton.bundle import golden
from lepton.compress import int8_static
from lepton.compress._candidate import Candidate, Context
from lepton.core.types import Arrays
from lepton.export.onnx import export
from lepton.models._shape import Shape
from lepton.runtime.app import load
from lepton.stages import _assemble, _model
from lepton.stages._assemble import Parts
from lepton.transforms import image

TASK = "image-classification"
_CALIBRATION = 16


def digits(folder: Path, *, mark: str = "") -> Path:
    """The seed's digits CNN as an app in `folder`: 28 x 28 grey pixels, ten classes whose names begin with `mark`."""
    made = _candidate({"name": "cnn", "preset": "seed"}, (1, 28, 28), [f"{mark}{digit}" for digit in range(10)])
    return _written(folder, _exported(made, folder), picture(28, "L"))


def resnet18(folder: Path) -> Path:
    """A ResNet-18 in static int8 as an app in `folder`: 224 x 224 RGB pixels, a thousand classes."""
    made = _candidate({"name": "resnet", "preset": "resnet18"}, (3, 224, 224), [str(index) for index in range(1000)])
    aside = folder.with_name(f"{folder.name}-made")
    aside.mkdir()
    quantised = int8_static.compress(_exported(made, folder), Context(aside, 0, _Noise()), samples=_CALIBRATION)
    return _written(folder, quantised, picture(224, "RGB"))


def picture(side: int, mode: str) -> bytes:
    """A PNG of a few soft strokes, `side` pixels wide and high."""
    canvas = Image.new(mode, (side, side))
    draw = ImageDraw.Draw(canvas)
    places = np.random.default_rng(7).integers(side // 8, side - side // 8, (4, 2))
    draw.line([tuple(place) for place in places.tolist()], fill="white", width=max(2, side // 12), joint="curve")
    stream = io.BytesIO()
    canvas.filter(ImageFilter.GaussianBlur(side / 56)).save(stream, "PNG")
    return stream.getvalue()


class _Noise:
    """The part of a workshop that calibration asks: samples."""

    def samples(self, candidate: Candidate, count: int) -> Sequence[Arrays]:
        """Noise of the shape that the candidate takes."""
        random = np.random.default_rng(0)
        shapes = candidate.described["shape"].inputs
        return [{name: random.integers(0, 256, size, np.uint8) for name, size in shapes.items()} for _ in range(count)]


def _candidate(model: Mapping[str, Any], size: tuple[int, int, int], classes: Sequence[str]) -> Candidate:
    channels, side, _ = size
    shape = Shape(inputs={"image": size}, outputs=len(classes))
    torch.manual_seed(0)
    middle = np.full((channels, 1, 1), 127.5, np.float32)
    network = _model.build(model, shape, (middle, middle))
    fitted = image.fit([picture(side, "L" if channels == 1 else "RGB")], size=side, channels=channels)
    described = {"shape": shape, "classes": list(classes), "decode": {"name": "softmax"}}
    return Candidate(described, ("image", fitted), network)


def _exported(candidate: Candidate, folder: Path) -> Candidate:
    path = folder.with_name(f"{folder.name}.onnx")
    shapes = candidate.described["shape"].inputs
    example = {name: torch.zeros((2, *size), dtype=torch.uint8) for name, size in shapes.items()}
    export(candidate.network, example, path)
    return replace(candidate, graph=path)


def _written(folder: Path, candidate: Candidate, sample: bytes) -> Path:
    """Write the app, and again with its golden answer."""
    parts = Parts(folder.name, TASK)
    _assemble.write(folder, parts, candidate)
    kept = golden.files([sample], load(folder).predict([sample]))
    _assemble.write(folder, parts, candidate, files=kept)
    return folder
