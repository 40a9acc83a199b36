"""IA3: what each layer gives is scaled by learned numbers, one for each feature.

Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning" (2022). Dense
layers and convolutions over images are scaled through `peft`; convolutions over one axis and recurrent layers, which
it does not know, by their weights.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from lepton.adapt import _layers, _peft, _weights
from lepton.adapt._adapted import Adapted, Layers, Lr

_THROUGH_PEFT = (nn.Linear, nn.Conv2d)
_BY_WEIGHTS = (nn.Conv1d, nn.RNNBase)


def adapt(network: nn.Module, head: Collection[str], *, layers: Layers = None, lr: Lr = 1e-2) -> Adapted:
    """Scale what dense, convolutional and recurrent layers give, and train the scales and the head.

    Of a recurrent layer each gate's view of the input is scaled. Raises UserError where there is no such layer.
    """
    from peft import IA3Config

    still = _layers.batch_norms(network)
    ours = _layers.found(network, head, _BY_WEIGHTS, layers=layers)
    theirs = _layers.found(network, head, _THROUGH_PEFT, layers=layers)
    names = _layers.some([*theirs, *ours], network, "ia3")
    _layers.freeze(network, head)
    if theirs:
        _peft.inject(network, head, IA3Config(target_modules=list(theirs), feedforward_modules=[]))
    for part in ours.values():
        for name in _inputs(part):
            _weights.change(part, name, _Scale(getattr(part, name)))
    return Adapted(names, lr=lr, still=still)


def merge(network: nn.Module) -> None:
    """Fold the scales into the weights, in place."""
    _peft.merge(network)
    _weights.settle(network)


def _inputs(part: nn.Module) -> list[str]:
    """The weights that read what enters a layer, which its own earlier states do not."""
    return [name for name in _weights.matrices(part) if not name.startswith("weight_h")]


class _Scale(nn.Module):
    """Rows times learned numbers that begin at 1."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.ones(weight.shape[0], *[1] * (weight.ndim - 1)))

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.rows
