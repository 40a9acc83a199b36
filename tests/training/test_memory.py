"""Training where memory is short: batches in pieces, and blocks that are run again, give the same gradients."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lepton.core.errors import UserError
from lepton.core.progress import Silent
from lepton.models._objectives import CLASSES
from lepton.training import loop, memory
from lepton.training.data import Samples
from lepton.training.settings import TrainSettings

POINTS = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class Narrow(nn.Module):
    """A layer for which memory runs out beyond `most` records at a time, in one of the ways that PyTorch says so."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.most, self.error = nn.Linear(5, 3), most, error

    def forward(self, points: Tensor) -> Tensor:
        if self.training and len(points) > self.most:
            raise self.error
        found: Tensor = self.layer(points)
        return found


def fit(place: Path, network: nn.Module, *, told: Silent | None = None, **settings: Any) -> list[dict[str, float]]:
    job = loop.Job(
        network=network,
        samples=Samples(
            [{"features": point} for point in POINTS],
            [np.array(index % 3) for index in range(len(POINTS))],
            ("features",),
            lambda samples: {"features": np.stack([sample["features"] for sample in samples])},
        ),
        objective=CLASSES,
        outputs=3,
        validate=lambda network: 0.0,
        augment=None,
        weights=None,
        seed=0,
        checkpoint=place / "network.pt",
        progress=told or Silent(),
    )
    return loop.fit(job, TrainSettings(epochs=2, batch=8, threads=1, **settings))


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_batch_that_does_not_fit_is_learnt_in_pieces_to_the_same_weights(tmp_path: Path, error: Exception) -> None:
    whole, narrow, told = Narrow(8, error), Narrow(3, error), Told()
    first = fit(tmp_path / "whole", whole)
    second = fit(tmp_path / "narrow", narrow, told=told)
    for mine, theirs in zip(narrow.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    assert [row["loss"] for row in second] == pytest.approx([row["loss"] for row in first], rel=1e-5)
    assert told.lines == [f"memory ran out: going on with {count} records at a time" for count in (4, 2)]


def test_one_record_that_does_not_fit_is_the_end(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"one record at a time.*2 GiB.*gradient_checkpointing"):
        fit(tmp_path, Narrow(0, ERRORS[0]))


def test_other_errors_are_no_lack_of_memory(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(tmp_path, Narrow(3, RuntimeError("mat1 and mat2 shapes cannot be multiplied")))


class Blocks(nn.Module):
    """Residual blocks with dropout in a list, as transformers have them."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        blocks = [nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Dropout(0.3), nn.Linear(64, 5)) for _ in range(4)]
        self.layers = nn.ModuleList(nn.Sequential(block, norm) if norm else block for block in blocks)
        self.head = nn.Linear(5, 3)

    def forward(self, points: Tensor) -> Tensor:
        for layer in self.layers:
            points = points + layer(points)
        found: Tensor = self.head(points)
        return found


@contextmanager
def counted() -> Iterator[list[int]]:
    """The sizes of what is kept for the backward pass."""
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


def learnt(network: Blocks) -> tuple[list[Tensor], int]:
    """The gradients of one pass, and how many numbers were kept for them."""
    torch.manual_seed(1)
    with counted() as kept:
        loss = network(torch.from_numpy(POINTS)).square().sum()
    loss.backward()
    return [value.grad for value in network.parameters() if value.grad is not None], sum(kept)


def test_blocks_that_are_run_again_give_the_same_gradients_and_keep_less() -> None:
    plain, plain_kept = learnt(Blocks())
    network = Blocks()
    with memory.recomputed(network):
        lean, lean_kept = learnt(network)
    assert len(lean) == len(plain) == 18
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(lean, plain, strict=True))
    assert lean_kept < plain_kept / 4
    assert not any("forward" in vars(layer) for layer in network.layers)


def test_a_network_is_trained_the_same_way_with_less_memory(tmp_path: Path) -> None:
    plain, lean = Blocks(), Blocks()
    fit(tmp_path / "plain", plain)
    fit(tmp_path / "lean", lean, gradient_checkpointing=True)
    assert all(torch.equal(one, other) for one, other in zip(plain.parameters(), lean.parameters(), strict=True))


@pytest.mark.parametrize("network", [nn.Linear(5, 3), Blocks(nn.BatchNorm1d(5))])
def test_networks_without_such_blocks_are_refused(tmp_path: Path, network: nn.Module) -> None:
    with pytest.raises(UserError, match=r"gradient_checkpointing needs blocks in a list, without BatchNorm"):
        fit(tmp_path, network, gradient_checkpointing=True)
