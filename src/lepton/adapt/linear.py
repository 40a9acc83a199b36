"""A linear probe: only the head is trained, on the features that the network has.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016).
"""

from collections.abc import Collection
from functools import partial
from typing import Annotated

from torch import nn

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Lr
from lepton.adapt._logistic import logistic
from lepton.core.settings import Range


def adapt(
    network: nn.Module,
    head: Collection[str],
    *,
    strength: Annotated[float, Range(1e-9, 1e6)] | None = None,
    lr: Lr = 5e-3,
) -> Adapted:
    """Train the head alone; statistics of batches stay.

    A head of one dense layer is solved for: logistic regression on the features of the records as they are, each of
    which passes the network once; [train] has no say but for class_weights. `strength` is that of its L2 penalty, on
    features of deviation 1; left out, it is found by cross-validation. Any other head is trained in steps, at `lr`.
    """
    _layers.freeze(network, head)
    still = _layers.batch_norms(network)
    if _layers.dense_head(network, head) is None:
        return Adapted([], lr=lr, still=still)
    return Adapted([], epochs=0, solve=partial(logistic, strength=strength), still=still)
