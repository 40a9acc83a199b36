"""Training spread over processes: each takes its share of every batch, and all take the same step.

The batches are those of one process, and so are augmentation and mixing. Gradients are summed once a step, after the
backward passes, each record with the weight that it has in the mean over the whole batch; so the weights become those
of one process up to rounding. That cannot hold for layers that draw at random in each process (dropout), nor for layers
and losses that compare records with each other (BatchNorm, a contrastive loss), which see a share; what BatchNorm keeps
is averaged.
"""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lepton.core.progress import Progress
from lepton.models._objectives import IGNORED
from lepton.training import processes
from lepton.training.processes import Stopped, Team

_REFUSALS = (pickle.PicklingError, TypeError, AttributeError, RuntimeError)
"""How objects say that they cannot be sent."""


@dataclass(frozen=True)
class Spread:
    """One process's part in training; without a team it is the whole."""

    team: Team | None = None

    @property
    def rank(self) -> int:
        """The number of this process."""
        return self.team.rank if self.team else 0

    @property
    def size(self) -> int:
        """How many train."""
        return self.team.size if self.team else 1

    @property
    def apart(self) -> tuple[int, ...]:
        """What sets the random numbers of this process apart from those of the first one."""
        return (self.rank,) if self.rank else ()

    @property
    def told(self) -> dict[str, float]:
        """What the history of training says of it."""
        return {"processes": self.size} if self.team else {}

    def rows(self, size: int) -> slice:
        """The part that this process takes of a batch of `size` records."""
        return share(size, self.rank, self.size)

    def begin(self, epoch: int, network: nn.Module) -> None:
        """Let the others train `epoch` too, from the weights of this process; a head may have been made anew."""
        if self.team:
            self.team.tell(pickle.dumps(epoch))
            self._level(network)

    def epochs(self, network: nn.Module) -> Iterator[int]:
        """The epochs that the first process begins, with its weights each time."""
        team = self.team
        while team and (epoch := pickle.loads(team.hear())) is not None:  # noqa: S301 - from the first process
            self._level(network)
            yield epoch

    def _level(self, network: nn.Module) -> None:
        """Give `network`, in place, the parameters and buffers of the first process, bit for bit."""
        values = [value.detach() for value in (*network.parameters(), *network.buffers())]
        if self.team and values:
            whole = self.team.share(torch.cat([_bytes(value) for value in values]))
            parts = whole.split([value.numel() * value.element_size() for value in values])
            for value, found in zip(values, parts, strict=True):
                value.copy_(found.clone().view(value.dtype).view_as(value))

    def total(self, losses: Tensor) -> Tensor:
        """Everyone's parts of some batches' losses, summed."""
        return self.team.sum(losses) if self.team else losses

    def average(self, network: nn.Module) -> None:
        """Sum the gradients of `network` over the processes, and average what its BatchNorms keep, in place.

        Parameters that no process has a gradient for keep none.
        """
        if not self.team:
            return
        trained = [value for value in network.parameters() if value.requires_grad]
        reached = [value.new_full((1,), float(value.grad is not None), dtype=torch.float32) for value in trained]
        gradients = [torch.zeros_like(value) if value.grad is None else value.grad for value in trained]
        kept = [value.div_(self.size) for value in _statistics(network)]
        _summed(self.team, [*gradients, *kept, *reached])
        for value, gradient, count in zip(trained, gradients, torch.cat(reached).tolist(), strict=True):
            value.grad = gradient if count else None


@contextmanager
def spread(order: processes.Order, progress: Progress) -> Iterator[Spread]:
    """Let the processes that this one leads carry out `order` while this is open.

    An error in one ends it in all, and is raised here. What cannot be sent is trained by this process alone.
    """
    team, sent = processes.leading(), b""
    if team is not None:
        try:
            sent = processes.packed(order)
        except _REFUSALS as error:
            progress.say(f"this training stays in the first process, since the others cannot be sent it: {error}")
    if team is None or not sent:
        yield Spread()
        return
    try:
        team.tell(sent)
        with team.in_step():
            yield Spread(team)
            team.tell(pickle.dumps(None))
    except Stopped as stop:
        raise stop.error from None


def share(size: int, rank: int, count: int) -> slice:
    """The records of a batch of `size` that process `rank` of `count` takes: about as many each, but two at least.

    BatchNorm cannot take one alone. Of small batches some take nothing.
    """
    parts = max(1, min(count, size // 2))
    if rank >= parts:
        return slice(size, size)
    return slice(size * rank // parts, size * (rank + 1) // parts)


def part(targets: Tensor, rows: slice, weights: Tensor | None) -> float:
    """What a mean over some rows of a batch counts in the mean over the whole; `weights` are those of the classes."""
    if rows == slice(0, len(targets)):
        return 1.0
    return float(_mass(targets[rows], weights) / _mass(targets, weights))


def _mass(targets: Tensor, weights: Tensor | None) -> Tensor:
    """What a mean divides by: records, or where they are classes the weights of those that count."""
    if targets.is_floating_point():
        return torch.tensor(float(len(targets)))
    kinds = targets[targets != IGNORED]
    return torch.tensor(float(len(kinds))) if weights is None else weights.to(kinds.device)[kinds].sum()


def _statistics(network: nn.Module) -> list[Tensor]:
    """What the BatchNorms that are in training keep of their inputs."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    kept = [value for layer in layers for value in (layer.running_mean, layer.running_var)]
    return [value for value in kept if value is not None]


def _summed(team: Team, values: Sequence[Tensor]) -> None:
    """Sum the values over the processes, in place and all at once."""
    with torch.no_grad():
        whole = team.sum(torch.cat([value.reshape(-1).float() for value in values]))
        for value, found in zip(values, whole.split([value.numel() for value in values]), strict=True):
            value.copy_(found.view_as(value))


def _bytes(value: Tensor) -> Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)
