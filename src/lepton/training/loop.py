"""The training loop: one function to read from top to bottom, and the small steps it takes."""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lepton.core import seeds
from lepton.core.errors import UserError
from lepton.core.progress import Bar, Progress, Silent
from lepton.models._objectives import Objective
from lepton.training import devices, memory, optimizers, schedules, spread
from lepton.training.beside import Beside, caught
from lepton.training.data import Loader, Samples
from lepton.training.processes import Team
from lepton.training.settings import TrainSettings, epochs_for
from lepton.training.spread import Spread
from lepton.training.teaching import Teacher

Augment = Callable[[list[Tensor], torch.Generator], list[Tensor]]
"""Changes the inputs of a training batch (already on the device) at random."""

Batch = tuple[list[Tensor], Tensor, Tensor, AbstractContextManager[object]]
"""Inputs, targets, the samples' numbers, and the precision that they are computed in."""

Validate = Callable[[nn.Module], float]
"""The validation metric of a network, higher is better."""

_MIXABLE = (torch.uint8, torch.float32)
"""Pixels and features; ids of tokens cannot be mixed."""

_LOOKED_AT = 16
"""Batches that give the training loss of a network that is not trained."""


@dataclass(frozen=True)
class Job:
    """What is trained, on what, and where it tells about it.

    `rates` are factors on the learning rate by the parameters' names, `thaws` the share of the epochs (0 to 1) after
    which a parameter is trained, `still` the modules that stay in evaluation mode. With a loss `beside`, whose targets
    are classes, inputs are not mixed.
    """

    network: nn.Module
    samples: Samples
    objective: Objective
    outputs: int
    validate: Validate
    augment: Augment | None
    weights: Tensor | None
    seed: int
    checkpoint: Path
    progress: Progress
    teacher: Teacher | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    thaws: Mapping[str, float] = field(default_factory=dict)
    still: Collection[str] = ()
    beside: Beside | None = None


@dataclass
class State:
    """All that changes from epoch to epoch; it is the checkpoint."""

    optimizer: optimizers.Optimizer
    averaged: AveragedModel | None
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def fit(job: Job, settings: TrainSettings) -> list[dict[str, float]]:
    """Train `job.network` in place and leave it with the weights of the best validation metric.

    After each epoch everything is written to `job.checkpoint`; where it exists, training goes on from there, to the
    same final weights bit for bit on CPU with the same number of threads. Where memory runs out, batches are cut in
    pieces (see `memory.Pieces`). Returns one row an epoch: loss, metric, rate and seconds; of 0 epochs one row of the
    network as it is. Raises UserError when the loss is not a number, and where epochs are asked for and the network has
    no weights to train.
    """
    device, loader = _placed(job, settings)
    epochs = epochs_for(len(job.samples), settings.batch) if settings.epochs is None else settings.epochs
    if not epochs:
        return [_as_it_is(job, loader, device)]
    state, pieces = _start(job, settings, device), memory.Pieces(job.progress)
    helped = spread.spread(_order(job, settings, (epochs, state)), job.progress)
    with helped as processes, job.progress.bar("train", epochs * len(loader)) as bar, _lean(job, settings):
        bar.step(len(state.history) * len(loader))
        while len(state.history) < epochs and not _stale(state.history, settings.patience):
            epoch = len(state.history)
            began = time.perf_counter()
            processes.begin(epoch, job.network)
            loss = _epoch(job, settings, _Epoch(epoch, epochs, loader, device, bar, state, pieces, processes))
            measured = _measured_network(job, state)
            metric = job.validate(measured)
            row = {"epoch": epoch + 1, "loss": loss, "metric": metric, "lr": _rate(state.optimizer)}
            state.history.append({**row, "seconds": time.perf_counter() - began, **processes.told})
            _keep_best(state, measured)
            _save(job, state)
    job.network.load_state_dict(state.best)
    job.network.eval()
    return state.history


def _placed(job: Job, settings: TrainSettings) -> tuple[torch.device, Loader]:
    """Put the network where it is trained; that place, and the batches."""
    device = devices.choose(settings.device)
    devices.set_threads(settings.threads)
    with torch.no_grad():
        job.network.to(device)  # recurrent layers gather their weights anew, which can be copied without a gradient
    together = job.beside.together if job.beside is not None else 1
    return device, Loader(job.samples, batch=settings.batch, seed=job.seed, together=together)


def _lean(job: Job, settings: TrainSettings) -> AbstractContextManager[None]:
    return memory.recomputed(job.network) if settings.gradient_checkpointing else nullcontext()


def _order(job: Job, settings: TrainSettings, begun: tuple[int, State]) -> Callable[[Team], None]:
    """What the other processes do while this one trains."""
    epochs, state = begun
    sent = replace(job, validate=_unasked, progress=Silent())
    return partial(follow, job=sent, settings=settings, epochs=epochs, optimizer=state.optimizer.state_dict())


def _unasked(network: nn.Module) -> float:
    raise RuntimeError("only the first process measures")


def follow(team: Team, *, job: Job, settings: TrainSettings, epochs: int, optimizer: dict[str, Any]) -> None:
    """Train as the first process does, epoch by epoch, on this one's share of each batch; it measures and keeps."""
    device, loader = _placed(job, settings)
    state, pieces, processes = State(_optimizer(job, settings), None), memory.Pieces(job.progress), Spread(team)
    state.optimizer.load_state_dict(optimizer)
    with job.progress.bar("train", 0) as bar, _lean(job, settings):
        for epoch in processes.epochs(job.network):
            _epoch(job, settings, _Epoch(epoch, epochs, loader, device, bar, state, pieces, processes))


def _as_it_is(job: Job, loader: Loader, device: torch.device) -> dict[str, float]:
    """The row of an untrained network: its loss on a few batches of the training samples, and its validation metric."""
    began = time.perf_counter()
    metric = job.validate(job.network.eval())
    losses = []
    for inputs, targets, _ in islice(loader.epoch(0), _LOOKED_AT):
        with torch.no_grad():
            logits = job.network(*(item.to(device) for item in inputs)).float()
        losses.append(job.objective.loss(logits, targets.to(device), smoothing=0.0, weights=None))
    row = {"epoch": 0, "loss": float(torch.stack(losses).mean()), "metric": metric, "lr": 0.0}
    return {**row, "seconds": time.perf_counter() - began}


@dataclass(frozen=True)
class _Epoch:
    number: int
    total: int
    loader: Loader
    device: torch.device
    bar: Bar
    state: State
    pieces: memory.Pieces
    processes: Spread


def _epoch(job: Job, settings: TrainSettings, run: _Epoch) -> float:
    """One pass over the data; returns the mean loss."""
    torch.manual_seed(seeds.derive(job.seed, "epoch", run.number, *run.processes.apart))
    random = torch.Generator().manual_seed(seeds.derive(job.seed, "augment", run.number))
    _wake(job, run.number / run.total)
    context = devices.precision(settings.precision, run.device)
    total = len(run.loader) * run.total
    losses: list[Tensor] = []
    for index, (inputs, targets, chosen) in enumerate(run.loader.epoch(run.number)):
        step = run.number * len(run.loader) + index
        _set_rate(
            run.state.optimizer,
            settings,
            schedules.factor(settings.schedule, step, total=total, warmup=settings.warmup),
        )
        batch = _prepared(job, settings, ([item.to(run.device) for item in inputs], targets.to(run.device), random))
        learn = _learning(job, settings, (*batch, chosen, context))
        losses.append(run.pieces.backward(job.network, run.processes.rows(len(chosen)), learn))
        if (index + 1) % settings.accumulate == 0 or index + 1 == len(run.loader):
            run.processes.average(job.network)
            _step(job.network, settings, run.state)
        if index % 10 == 9 or index + 1 == len(run.loader):
            done = index % 10 + 1
            losses[-done:] = run.processes.total(torch.stack(losses[-done:]))
            _tell(run, losses, settings)
    return float(torch.stack(losses).mean())


def _wake(job: Job, done: float) -> None:
    """Set the network to train, but for what stays as it is: parameters not thawed yet, and statistics that are held.

    `done` is the share of the epochs. The statistics of a BatchNorm whose weights are not trained are held too.
    """
    job.network.train()
    for name, parameter in job.network.named_parameters():
        if name in job.thaws:
            parameter.requires_grad_(done >= job.thaws[name])
    for name, module in job.network.named_modules():
        frozen = isinstance(module, _BatchNorm) and module.affine and not module.weight.requires_grad
        if frozen or name in job.still:
            module.eval()


def _prepared(
    job: Job, settings: TrainSettings, batch: tuple[list[Tensor], Tensor, torch.Generator]
) -> tuple[list[Tensor], Tensor]:
    """Augment and mix a batch; mixed targets become probabilities."""
    inputs, targets, random = batch
    if job.augment is not None and settings.augment > 0:
        inputs = job.augment(inputs, random)
    apart = job.beside is not None or (job.teacher is not None and not job.teacher.online)
    if settings.mixup > 0 and job.objective.mixes and inputs[0].dtype in _MIXABLE and not apart:
        return _mix(job, (inputs, targets, random), settings.mixup)
    return inputs, targets


def _mix(job: Job, batch: tuple[list[Tensor], Tensor, torch.Generator], alpha: float) -> tuple[list[Tensor], Tensor]:
    """Mix each sample with another (Zhang 2018): inputs and one-hot targets by one share for the batch."""
    inputs, targets, random = batch
    numbers = np.random.default_rng(int(torch.randint(2**62, (), generator=random)))
    share = float(numbers.beta(alpha, alpha))
    other = torch.randperm(len(targets), generator=random).to(targets.device)
    hot = functional.one_hot(targets, job.outputs).float()
    mixed = [share * item.float() + (1 - share) * item[other].float() for item in inputs]
    return mixed, share * hot + (1 - share) * hot[other]


def _learning(job: Job, settings: TrainSettings, batch: Batch) -> Callable[[slice], Tensor]:
    """What adds the gradients of some rows of a batch to the network's, and gives their part of its loss."""
    inputs, targets, chosen, context = batch

    def learn(rows: slice) -> Tensor:
        share = spread.part(targets, rows, job.weights)
        if not share:  # none of them counts, and a mean over nothing is not a number
            return torch.zeros((), device=targets.device)
        loss = _loss(job, settings, ([item[rows] for item in inputs], targets[rows], chosen[rows], context)) * share
        (loss / settings.accumulate).backward()
        return loss.detach()

    return learn


def _loss(job: Job, settings: TrainSettings, batch: Batch) -> Tensor:
    inputs, targets, chosen, context = batch
    with context, _watched(job) as features:
        logits = job.network(*inputs)
    loss = job.objective.loss(logits.float(), targets, smoothing=settings.smoothing, weights=job.weights)
    if job.teacher is not None:
        with torch.no_grad(), context:
            soft = job.teacher.answers(chosen, inputs)
        taught = job.teacher.loss(logits.float(), soft.float(), targets)
        loss = (1 - job.teacher.share) * loss + job.teacher.share * taught
    if job.beside is not None:
        loss = (1 - job.beside.share) * loss + job.beside.share * job.beside.loss(features[-1].float(), targets)
    return loss


def _watched(job: Job) -> AbstractContextManager[list[Tensor]]:
    """What the layer of the loss beside is given, where there is one."""
    return caught(job.network, job.beside.layer) if job.beside is not None else nullcontext([])


def _step(network: nn.Module, settings: TrainSettings, state: State) -> None:
    if settings.clip > 0:
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
    state.optimizer.step()
    state.optimizer.zero_grad()
    if state.averaged is not None:
        state.averaged.update_parameters(network)


def _tell(run: _Epoch, losses: list[Tensor], settings: TrainSettings) -> None:
    latest = torch.stack(losses[-10:])
    if not latest.isfinite().all():
        raise _diverged(run, len(losses) - len(latest) + int(latest.isfinite().int().argmin()), settings)
    recent = float(latest.mean())
    validated = f"  validation {run.state.history[-1]['metric']:.4f}" if run.state.history else ""
    done = 10 if len(losses) % 10 == 0 else len(losses) % 10
    place, rate = f"epoch {run.number + 1}/{run.total}", _rate(run.state.optimizer)
    run.bar.step(done, f"{place}  loss {recent:.3f}{validated}  lr {rate:.1e}")


def _diverged(run: _Epoch, batch: int, settings: TrainSettings) -> UserError:
    """The error that names the first batch whose loss is not a number, from 0 in its epoch."""
    return UserError(
        "Training diverged",
        rule=f"The loss of epoch {run.number + 1}, batch {batch + 1} of {len(run.loader)} is not a number",
        received=f"lr = {settings.lr}, clip = {settings.clip}",
        remedy="Lower the learning rate or train.clip; where that does not help, look for inputs that are not numbers",
    )


def _start(job: Job, settings: TrainSettings, device: torch.device) -> State:
    if not any(each.requires_grad for each in job.network.parameters()):
        raise UserError(
            "There is nothing to train",
            rule="Training changes a network's weights, and this one has none that could be changed",
            remedy="Say train.epochs = 0",
        )
    averaged = None
    if settings.ema > 0:
        averaged = AveragedModel(job.network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema), use_buffers=True)
    state = State(_optimizer(job, settings), averaged)
    if job.checkpoint.exists():
        _resume(job, state, torch.load(job.checkpoint, map_location=device, weights_only=True))
    return state


def _optimizer(job: Job, settings: TrainSettings) -> optimizers.Optimizer:
    make = optimizers.OPTIMIZERS[settings.optimizer]
    return make(job.network, settings.lr, decay=settings.weight_decay, rates=job.rates)


def _resume(job: Job, state: State, kept: dict[str, Any]) -> None:
    job.network.load_state_dict(kept["network"])
    state.optimizer.load_state_dict(kept["optimizer"])
    state.history, state.best = kept["history"], kept["best"]
    if state.averaged is not None:
        state.averaged.load_state_dict(kept["averaged"])


def _save(job: Job, state: State) -> None:
    kept = {
        "network": job.network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "averaged": state.averaged.state_dict() if state.averaged is not None else None,
        "history": state.history,
        "best": state.best,
    }
    aside = job.checkpoint.with_suffix(".aside")
    job.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save(kept, aside)
    aside.replace(job.checkpoint)


def _measured_network(job: Job, state: State) -> nn.Module:
    """The averaged weights where there are any, since they are what would be shipped."""
    return state.averaged.module if state.averaged is not None else job.network


def _keep_best(state: State, network: nn.Module) -> None:
    """Keep the weights when the last metric is the best so far; of equals the later one."""
    if state.history[-1]["metric"] >= max(row["metric"] for row in state.history):
        state.best = {name: value.detach().clone() for name, value in network.state_dict().items()}


def _stale(history: list[dict[str, float]], patience: int | None) -> bool:
    if patience is None or not history:
        return False
    metrics = [row["metric"] for row in history]
    return len(metrics) - 1 - int(np.argmax(metrics)) >= patience


def _set_rate(optimizer: optimizers.Optimizer, settings: TrainSettings, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = settings.lr * factor * group["scale"]


def _rate(optimizer: optimizers.Optimizer) -> float:
    """The rate of what learns fastest."""
    return float(max(group["lr"] for group in optimizer.param_groups))
