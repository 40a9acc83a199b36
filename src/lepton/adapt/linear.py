"""A linear probe: only the head is trained, on the features that the network has.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016).
"""

from collections.abc import Collection

from torch import nn

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Lr


def adapt(network: nn.Module, head: Collection[str], *, lr: Lr = 5e-3) -> Adapted:
    """Train the head alone; statistics of batches stay."""
    _layers.freeze(network, head)
    return Adapted([], lr=lr, still=_layers.batch_norms(network))
