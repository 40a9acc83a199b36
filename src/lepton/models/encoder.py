"""A BERT-like encoder trained from scratch.

Vaswani et al., "Attention Is All You Need", 2017; Devlin et al., "BERT", 2019. Normalisation stands before each
sub-layer ("pre", steadier from scratch; Xiong et al., 2020) or after it ("post", as BERT has it).
Shapes: B batch, T tokens, D width, C classes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models import _sequence
from lepton.models._objectives import CLASSES, TAGS
from lepton.models._presets import filled, scaled
from lepton.models._shape import Shape

TRANSFORMS = {"text": "tokens"}
OBJECTIVES = {"text-classification": CLASSES, "token-classification": TAGS}
TRAIN: Mapping[str, Any] = MappingProxyType({"epochs": 20, "lr": 1e-3, "schedule": "cosine", "warmup": 0.1})
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": {"width": 64, "heads": 2, "layers": 2, "expand": 4, "dropout": 0.1},
        "mini": {"width": 128, "heads": 4, "layers": 2, "expand": 4, "dropout": 0.2},
        "small": {"width": 256, "heads": 4, "layers": 4, "expand": 4, "dropout": 0.2},
    }
)
_ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}


def build(
    shape: Shape,
    *,
    preset: Literal["tiny", "mini", "small"] = "mini",
    norm: Literal["pre", "post"] = "pre",
    activation: Literal["relu", "silu", "gelu"] = "gelu",
    longest: Annotated[int, Range(1, 8192)] = 512,
    width: Annotated[int, Range(1, 4096)] | None = None,
    heads: Annotated[int, Range(1, 64)] | None = None,
    layers: Annotated[int, Range(1, 48)] | None = None,
    expand: Annotated[int, Range(1, 16)] | None = None,
    dropout: Annotated[float, Range(0, 0.9)] | None = None,
) -> nn.Module:
    """Make an encoder over input_ids (B, T) and attention_mask (B, T), T at most `longest`.

    It gives logits (B, C) from the mean of the states, or (B, T, C) for token-classification. `expand` is how many
    times wider the feed-forward layers are than `width`, which `heads` must divide. `dropout` is the share of features
    dropped in training. A setting of None is the preset's. Raises UserError.
    """
    given = {"width": width, "heads": heads, "layers": layers, "expand": expand, "dropout": dropout}
    full = filled(PRESETS, {**given, "preset": preset}, preset)
    _divides(full["width"], full["heads"])
    act = _ACTIVATIONS[activation]
    return _Encoder(shape, longest=longest, block=_Form(norm == "pre", act), **full)


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings with the width multiplied by `fraction` (0 to 1), rounded so that the heads still divide it."""
    full = filled(PRESETS, settings, "mini")
    return {**settings, "width": scaled(full["width"], fraction, full["heads"])}


class _Form:
    """What all blocks share besides their sizes."""

    def __init__(self, before: bool, act: type[nn.Module]) -> None:
        self.before = before
        self.act = act


class _Encoder(nn.Module):
    def __init__(
        self,
        shape: Shape,
        *,
        longest: int,
        block: _Form,
        width: int,
        heads: int,
        layers: int,
        expand: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.tags = shape.task == "token-classification"
        self.embed = nn.Embedding(shape.vocabulary, width)
        self.place = nn.Embedding(longest, width)
        self.first = nn.LayerNorm(width)
        self.last = nn.LayerNorm(width) if block.before else nn.Identity()
        self.blocks = nn.ModuleList(
            _Block(width, heads, form=block, expand=expand, dropout=dropout) for _ in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, shape.outputs)
        self.apply(_initialise)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        rows = _sequence.hide(self.embed(input_ids), attention_mask) + self.place(places)
        states = self.dropout(self.first(rows))
        for block in self.blocks:
            states = block(states, attention_mask)
        states = self.last(states)
        return self.head(self.dropout(states if self.tags else _sequence.mean(states, attention_mask)))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, *, form: _Form, expand: int, dropout: float) -> None:
        super().__init__()
        self.before = form.before
        self.heads = heads
        self.share = dropout
        self.read = nn.Linear(width, 3 * width)
        self.write = nn.Linear(width, width)
        self.wide = nn.Sequential(nn.Linear(width, expand * width), form.act(), nn.Linear(expand * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.before:
            states = states + self.dropout(self._attend(self.norms[0](states), mask))
            return states + self.dropout(self.wide(self.norms[1](states)))
        states = self.norms[0](states + self.dropout(self._attend(states, mask)))
        return self.norms[1](states + self.dropout(self.wide(states)))

    def _attend(self, states: Tensor, mask: Tensor) -> Tensor:
        split = self.read(states).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = mask[:, None, None, :].to(torch.bool)
        share = self.share if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(split[0], split[1], split[2], attn_mask=seen, dropout_p=share)
        return self.write(mixed.transpose(1, 2).flatten(2))


def _initialise(module: nn.Module) -> None:
    """Small normal weights, as BERT has them."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def _divides(width: int, heads: int) -> None:
    if width % heads:
        raise UserError(
            "[model.heads] does not divide [model.width]",
            rule="Each head takes an equal share of the width",
            received=f"width {width}, heads {heads}",
            remedy=f"Use a width of {heads * round(width / heads) or heads}",
        )
