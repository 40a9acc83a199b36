"""What the sound families check of their shape and settings."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lepton.core.errors import UserError
from lepton.models._shape import Shape


def bands_of(shape: Shape) -> int:
    """Mel bands of the features. Raises UserError where the data are not features (T, M) with a known M."""
    sizes = shape.inputs.get("features", ())
    if len(sizes) != 2 or sizes[1] < 1:
        raise UserError(
            "This model takes features of sound",
            rule='Shape.inputs["features"] is (frames, mel bands)',
            received=dict(shape.inputs),
            remedy="Choose a model for this kind of data",
        )
    return sizes[1]


def check(settings: Mapping[str, Any]) -> None:
    """Raise UserError for a setting whose name ends in "kernel" that is even, and for `widths` that are empty."""
    for name, value in settings.items():
        if name.endswith("kernel") and value % 2 == 0:
            rule = "It must be odd, so that it has a middle"
            raise UserError(f"[model.{name}] is wrong", rule=rule, received=value, remedy=f"Take {value + 1}")
    if not settings["widths"]:
        rule = "It needs at least one number"
        raise UserError("[model.widths] is wrong", rule=rule, received="[]", remedy="Leave it out for the preset's")


def channels_last(network: nn.Module) -> None:
    """Lay the weights of convolutions out with channels innermost, in place: half the time of a step on a processor."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
