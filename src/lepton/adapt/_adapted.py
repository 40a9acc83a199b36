"""What adaptation methods give back: how a network that was made ready is to be trained.

A method changes the network in place: `adapt(network, head, *, settings...) -> Adapted`. `head` are the names of the
parameters that make the logits, which every method trains. A method whose parts can be folded into the weights has
`merge(network)`, which does so in place; one whose parts stay in the network says `STAYS = True`, and then `adapt` is
what rebuilds it before its weights are loaded. One that trains all weights says `WHOLE = True`: it leaves no adapter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from torch import Tensor

from lepton.core.settings import Range

Lr = Annotated[float, Range(0, 10)]
"""A method's own peak learning rate, in place of train.lr, which is that of training all weights."""

Layers = list[str] | None
"""Parts of names: only layers are adapted in whose name one of them stands. None: all that the method can adapt."""

Rows = tuple[Tensor, Tensor]
"""The weights (C, D) and biases (C,) of a dense head over D features."""


class Solve(Protocol):
    """Makes a dense head from features."""

    def __call__(self, features: Tensor, targets: Tensor, *, outputs: int, weights: Tensor | None) -> Rows:
        """Give the rows of a head for `outputs` classes: `features` (N, D), `targets` (N,), `weights` of the classes.

        A class may have no record.
        """


@dataclass(frozen=True)
class Contrast:
    """A loss on features (B, D) with their classes (B,), and its share of the whole loss (0 to 1).

    Batches have about `together` records of a class.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    share: float
    together: int


@dataclass(frozen=True)
class Adapted:
    """How an adapted network is trained: its parameters that require gradients are, the others stay bit for bit.

    `layers` are the names of what was adapted. `lr` and `epochs`: what to train with, None for the usual ones. `rates`
    has factors on the rate by the parameters' names, and `thaws` the share of the training (0 to 1) from which on a
    parameter is trained; those not named have 1 and 0. `still` are the modules that stay in evaluation mode, so that
    the statistics of normalisations do not move. With `solve` the head is made from the features of the training
    records, before training and, where there is a `contrast`, after each epoch.
    """

    layers: Sequence[str]
    lr: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    thaws: Mapping[str, float] = field(default_factory=dict)
    still: Sequence[str] = ()
    epochs: int | None = None
    solve: Solve | None = None
    contrast: Contrast | None = None
