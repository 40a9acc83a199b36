"""A plain convolutional network: convolutions and pooling, then dense layers.

Its first preset is the smallest that is worth anything: a 3x3 convolution of 32 channels, a max pool, one dense layer.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from torch import nn

from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models._convolution import ACTIVATIONS, Activation, Mean, all_narrowed, image_shape, initialise
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled
from lepton.models._shape import Shape

TRANSFORMS = {"image": "image"}
OBJECTIVES = {"image-classification": CLASSES}
TRAIN = {"lr": 4e-3}
AUTO = ({"preset": "seed"},)

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "seed": {
        "widths": [32],
        "repeat": 1,
        "kernel": 3,
        "padding": "valid",
        "batch_norm": False,
        "gather": "flatten",
        "dense": [],
        "activation": "relu",
        "dropout": 0.0,
    },
    "lenet": {
        "widths": [6, 16],
        "repeat": 1,
        "kernel": 5,
        "padding": "valid",
        "batch_norm": False,
        "gather": "flatten",
        "dense": [120, 84],
        "activation": "relu",
        "dropout": 0.0,
    },
    "small": {
        "widths": [32, 64],
        "repeat": 1,
        "kernel": 3,
        "padding": "same",
        "batch_norm": True,
        "gather": "flatten",
        "dense": [128],
        "activation": "relu",
        "dropout": 0.25,
    },
    "vgg": {
        "widths": [32, 64, 128],
        "repeat": 2,
        "kernel": 3,
        "padding": "same",
        "batch_norm": True,
        "gather": "mean",
        "dense": [],
        "activation": "relu",
        "dropout": 0.1,
    },
}


def build(
    shape: Shape,
    *,
    preset: Literal["seed", "lenet", "small", "vgg"] = "seed",
    widths: Annotated[list[int] | None, Range(1, 4096)] = None,
    repeat: Annotated[int | None, Range(1, 8)] = None,
    kernel: Annotated[int | None, Range(1, 15)] = None,
    padding: Literal["same", "valid"] | None = None,
    batch_norm: bool | None = None,
    gather: Literal["flatten", "mean"] | None = None,
    dense: Annotated[list[int] | None, Range(1, 16384)] = None,
    activation: Activation | None = None,
    dropout: Annotated[float | None, Range(0, 0.9)] = None,
) -> nn.Module:
    """Build stages of `repeat` convolutions and a 2x2 max pool, one for each of `widths`; then the dense layers.

    It takes (B, C, H, W) floats and gives (B, outputs) logits. `padding` "same" keeps the size at each convolution,
    "valid" loses kernel - 1 pixels. `gather` flattens the last maps, or takes the mean of each. `dropout` comes before
    the dense layers and the head. What is left out is the preset's.
    Raises UserError when the images are too small for that many stages.
    """
    given = {
        "widths": widths,
        "repeat": repeat,
        "kernel": kernel,
        "padding": padding,
        "batch_norm": batch_norm,
        "gather": gather,
        "dense": dense,
        "activation": activation,
        "dropout": dropout,
    }
    return _Cnn(shape, filled(PRESETS, given, preset))


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """Give the settings with convolutions and dense layers at `fraction` (0 to 1) of their widths."""
    full = filled(PRESETS, settings, "seed")
    widths = {name: all_narrowed(full[name], fraction) for name in ("widths", "dense")}
    return {**settings, **widths}


class _Cnn(nn.Sequential):
    def __init__(self, shape: Shape, settings: Mapping[str, Any]) -> None:
        channels, *size = image_shape(shape)
        left = [_left(pixels, settings) for pixels in size]
        if min(left) < 1:
            raise _too_small(size, settings)
        inputs = [channels, *settings["widths"]]
        stages = [_stage(*pair, settings) for pair in zip(inputs, inputs[1:], strict=False)]
        flat = inputs[-1] * (left[0] * left[1] if settings["gather"] == "flatten" else 1)
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.gather = nn.Flatten() if settings["gather"] == "flatten" else Mean()
        self.dense = nn.Sequential(*_dense(flat, settings))
        self.dropout = nn.Dropout(settings["dropout"])
        self.head = nn.Linear(settings["dense"][-1] if settings["dense"] else flat, shape.outputs)
        initialise(self)


def _stage(inputs: int, outputs: int, settings: Mapping[str, Any]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for index in range(settings["repeat"]):
        parts += _convolution(outputs if index else inputs, outputs, settings)
    return nn.Sequential(*parts, nn.MaxPool2d(2))


def _convolution(inputs: int, outputs: int, settings: Mapping[str, Any]) -> list[nn.Module]:
    norm = settings["batch_norm"]
    convolution = nn.Conv2d(inputs, outputs, settings["kernel"], padding=settings["padding"], bias=not norm)
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), ACTIVATIONS[settings["activation"]]()]


def _dense(inputs: int, settings: Mapping[str, Any]) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for outputs in settings["dense"]:
        parts += [nn.Dropout(settings["dropout"]), nn.Linear(inputs, outputs), ACTIVATIONS[settings["activation"]]()]
        inputs = outputs
    return parts


def _left(pixels: int, settings: Mapping[str, Any]) -> int:
    """Rows or columns that are left after all stages."""
    lost = (settings["kernel"] - 1) * settings["repeat"] if settings["padding"] == "valid" else 0
    for _ in settings["widths"]:
        pixels = (pixels - lost) // 2
    return pixels


def _too_small(size: list[int], settings: Mapping[str, Any]) -> UserError:
    stages = f"{len(settings['widths'])} stages of {settings['repeat']} {settings['padding']} convolution(s)"
    return UserError(
        f"The images are too small for {stages} with kernel {settings['kernel']} and pooling",
        rule="At least one pixel must be left",
        received=" x ".join(map(str, size)),
        remedy='Use larger images, fewer widths, a smaller kernel or padding = "same"',
    )
