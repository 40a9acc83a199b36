"""Only normalisations are trained, and the head.

Frankle, Schwab and Morcos, "Training BatchNorm and Only BatchNorm" (2021); statistics measured anew on the new data
are AdaBN (Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", 2016).
"""

from collections.abc import Collection
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Layers, Lr


def adapt(
    network: nn.Module,
    head: Collection[str],
    *,
    statistics: Literal["frozen", "re-estimated"] = "re-estimated",
    layers: Layers = None,
    lr: Lr = 5e-3,
) -> Adapted:
    """Train scales and shifts of the normalisations, and the head. Raises UserError where there is no normalisation.

    The means and variances of BatchNorm stay as they are ("frozen"), or are forgotten and become those of all batches
    of the training ("re-estimated").
    """
    _layers.freeze(network, head)
    known = _layers.norms(network)
    chosen = [name for name in _layers.found(network, head, (nn.Module,), layers=layers) if name in known]
    for name in chosen:
        known[name].requires_grad_(requires_grad=True)
    moving = chosen if statistics == "re-estimated" else []
    for name in moving:
        _forget(known[name])
    still = [name for name in _layers.batch_norms(network) if name not in moving]
    return Adapted(_layers.some(chosen, network, "norm"), lr=lr, still=still)


def _forget(part: nn.Module) -> None:
    """Let statistics begin anew, each batch of the training counting as much as any other."""
    if isinstance(part, _BatchNorm) and part.track_running_stats:
        part.reset_running_stats()
        part.momentum = None
