"""Quantisation-aware training: the network learns with the rounding of 8 bits in sight.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018),
with the straight-through estimator. It leaves a floating-point network; static int8 behind it then loses little.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lepton.compress._candidate import Candidate, Context
from lepton.compress._networks import Epochs, Rate, batches, copied, layers_of, recovered, settled
from lepton.core.settings import Range

TAKES, GIVES = ("network",), "network"
AUTO: tuple[Mapping[str, Any], ...] = ()
PREPARES = "quantised"

_MOMENTUM = 0.01
"""How far a range moves towards a training batch's: the average of about a hundred batches."""


def compress(
    candidate: Candidate,
    context: Context,
    *,
    samples: Annotated[int, Range(1, 100_000)] = 256,
    epochs: Epochs = 0.5,
    rate: Rate = 0.1,
) -> Candidate:
    """Train on with weights rounded to int8 and inputs to uint8, in every convolution and dense layer.

    Weights have one scale for each output channel (-127 to 127, symmetric). Batch normalisation behind a convolution
    only multiplies its output channels, so rounding before folding it and after it is the same, and nothing is folded.
    Inputs have one range for each layer, of `samples` training samples first and then following the batches. The
    weights that come out are rounded: rounding them again changes nothing. Raises UserError where there is no layer.
    """
    network = copied(candidate)
    layers = layers_of(network, "qat")
    watched = [_watched(layer) for layer in layers]
    _calibrate(network, [each for each, _ in watched], batches(candidate, context, samples))
    made = recovered(candidate, context, network, epochs=epochs, rate=rate)
    for layer, (_, hook) in zip(layers, watched, strict=True):
        hook.remove()
        del layer.rounded_input
        settled(layer)
    return made


def _watched(layer: nn.Module) -> tuple["_Input", Any]:
    """Round a layer's weights and inputs, in place; returns what rounds the inputs, and the hook that calls it."""
    parametrize.register_parametrization(layer, "weight", _Weight())
    rounds = _Input()
    layer.rounded_input = rounds
    return rounds, layer.register_forward_pre_hook(rounds.before)


def _calibrate(network: nn.Module, inputs: Sequence["_Input"], samples: Iterable[Sequence[Tensor]]) -> None:
    """Let each range hold all that its layer is given, without rounding."""
    with torch.no_grad():
        for batch in samples:
            network(*batch)
    for each in inputs:
        each.watching = False


class _Weight(nn.Module):
    """Rounds weights (outputs, ...) to int8 with a scale for each output; slopes pass as if it did not."""

    def forward(self, weight: Tensor) -> Tensor:
        """The weights that int8 can hold, in floating point."""
        most = weight.detach().flatten(1).abs().amax(1)
        scale = (most / 127).clamp(min=torch.finfo(torch.float32).tiny)
        zeros = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -127, 127)


class _Input(nn.Module):
    """Rounds a layer's inputs to uint8 within a range that holds zero; slopes pass where they are inside."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.watching = True

    def before(self, layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Round what `layer` is given; while it is watching, only widen the range."""
        values, *rest = given
        low, high = values.detach().float().aminmax()
        if self.watching:
            self.low, self.high = torch.minimum(self.low, low), torch.maximum(self.high, high)
            return None
        if self.training:
            self.low, self.high = (
                old.lerp(new, _MOMENTUM) for old, new in ((self.low, low.clamp(max=0)), (self.high, high.clamp(min=0)))
            )
        scale = ((self.high - self.low) / 255).clamp(min=torch.finfo(torch.float32).tiny)
        zero = (-self.low / scale).round().clamp(0, 255).to(torch.int32)
        rounded = torch.fake_quantize_per_tensor_affine(values.float(), scale, zero, 0, 255)
        return rounded.to(values.dtype), *rest
