"""TextCNN: convolutions of several lengths over token vectors, the strongest answer of each filter.

Kim, "Convolutional Neural Networks for Sentence Classification", 2014. Shapes: B batch, T tokens, C classes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from lepton.core.settings import Range
from lepton.models._objectives import CLASSES
from lepton.models._presets import filled, scaled
from lepton.models._shape import Shape
from lepton.models._windows import Windows

TRANSFORMS = {"text": "tokens"}
OBJECTIVES = {"text-classification": CLASSES}
TRAIN: Mapping[str, Any] = MappingProxyType({"epochs": 15, "lr": 1e-3})
AUTO: tuple[Mapping[str, Any], ...] = ({},)
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": {"width": 64, "filters": 32, "kernels": [2, 3, 4], "dropout": 0.3},
        "small": {"width": 128, "filters": 100, "kernels": [1, 2, 3, 4], "dropout": 0.5},
        "large": {"width": 256, "filters": 256, "kernels": [1, 2, 3, 4, 5], "dropout": 0.5},
    }
)
_ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}


def build(
    shape: Shape,
    *,
    preset: Literal["tiny", "small", "large"] = "small",
    width: Annotated[int, Range(1, 4096)] | None = None,
    filters: Annotated[int, Range(1, 4096)] | None = None,
    kernels: Annotated[list[int], Range(1, 15)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
    activation: Literal["relu", "silu", "gelu"] = "relu",
) -> nn.Module:
    """Make a TextCNN whose `forward` takes input_ids (B, T) and attention_mask (B, T) and gives logits (B, C).

    `width` is the size of a token's vector; `kernels` are the filters' lengths in tokens, with `filters` of each.
    `dropout` is the share of features dropped in training. A setting of None is the preset's.
    """
    given = {"width": width, "filters": filters, "kernels": kernels, "dropout": dropout}
    full = filled(PRESETS, {**given, "preset": preset}, preset)
    body = Windows(shape.vocabulary, act=_ACTIVATIONS[activation], **full)
    return _TextNet(body, shape.outputs, full["dropout"])


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings with the vectors and the filters multiplied by `fraction` (0 to 1), at least 8 each."""
    full = filled(PRESETS, settings, "small")
    return {**settings, **{name: scaled(full[name], fraction) for name in ("width", "filters")}}


class _TextNet(nn.Module):
    def __init__(self, body: Windows, outputs: int, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.width, outputs)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.body(input_ids, attention_mask)))
