"""What adaptation methods give back: how a network that was made ready is to be trained.

A method changes the network in place: `adapt(network, head, *, settings...) -> Adapted`. `head` are the names of the
parameters that make the logits, which every method trains. A method whose parts can be folded into the weights has
`merge(network)`, which does so in place; one whose parts stay in the network says `STAYS = True`, and then `adapt` is
what rebuilds it before its weights are loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from lepton.core.settings import Range

Lr = Annotated[float, Range(0, 10)]
"""A method's own peak learning rate, in place of train.lr, which is that of training all weights."""

Layers = list[str] | None
"""Parts of names: only layers are adapted in whose name one of them stands. None: all that the method can adapt."""


@dataclass(frozen=True)
class Adapted:
    """How an adapted network is trained: its parameters that require gradients are, the others stay bit for bit.

    `layers` are the names of what was adapted. `lr`: the rate to train with, None for the usual one. `rates` has
    factors on it by the parameters' names, and `thaws` the share of the training (0 to 1) from which on a parameter is
    trained; those not named have 1 and 0. `still` are the modules that stay in evaluation mode, so that the
    statistics of normalisations do not move.
    """

    layers: Sequence[str]
    lr: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    thaws: Mapping[str, float] = field(default_factory=dict)
    still: Sequence[str] = ()
