"""Losses against a teacher held against their definitions, and the loop that uses them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy, pearsonr
from torch import nn
from torch.nn import functional

from lepton.core.progress import Silent
from lepton.models._objectives import CLASSES, IGNORED
from lepton.training import loop
from lepton.training.data import Samples
from lepton.training.settings import TrainSettings
from lepton.training.teaching import Teacher, by_logits, by_relations

SIZES = st.tuples(st.integers(2, 7), st.integers(2, 6))
SEEDS = st.integers(0, 2**32 - 1)


def pair(size: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(0, 2, size), random.normal(0, 2, size)


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def teacher(by: str = "logits", share: float = 1.0, answers=None, *, online: bool = False) -> Teacher:
    return Teacher(answers, online, share, 2.0, by)


@given(SIZES, SEEDS, st.floats(0.3, 20))
@settings(max_examples=30, deadline=None)
def test_the_divergence_is_that_of_scipy(size: tuple[int, int], seed: int, heat: float) -> None:
    mine, theirs = pair(size, seed)
    by_hand = np.mean(entropy(softmax(theirs / heat, 1), softmax(mine / heat, 1), axis=1)) * heat**2
    assert float(by_logits(*tensors(mine, theirs), heat)) == pytest.approx(by_hand, rel=1e-9, abs=1e-12)


@given(SIZES, SEEDS, st.floats(0.5, 10))
@settings(max_examples=30, deadline=None)
def test_relations_are_those_of_scipy(size: tuple[int, int], seed: int, heat: float) -> None:
    mine, theirs = (softmax(item / heat, 1) for item in pair(size, seed))
    rows = 1 - np.mean([pearsonr(one, other).statistic for one, other in zip(mine, theirs, strict=True)])
    columns = 1 - np.mean([pearsonr(one, other).statistic for one, other in zip(mine.T, theirs.T, strict=True)])
    found = by_relations(*tensors(*pair(size, seed)), heat)
    assert float(found) == pytest.approx((rows + columns) * heat**2, rel=1e-5, abs=1e-6)


@given(SIZES, SEEDS, st.floats(0.05, 0.95))
@settings(max_examples=30, deadline=None)
def test_relations_do_not_see_scale_and_shift_of_probabilities(size: tuple[int, int], seed: int, scale: float) -> None:
    logits, _ = pair(size, seed)
    chances = softmax(logits / 2, 1)
    flatter = np.log(scale * chances + (1 - scale) / size[1]) * 2
    mine, theirs = tensors(logits, flatter + np.arange(size[0])[:, None])
    assert float(by_relations(mine, theirs, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(by_logits(mine, theirs, 2.0)) > 0


@pytest.mark.parametrize("by", ["logits", "relations"])
def test_tokens_that_are_ignored_do_not_count(by: str) -> None:
    mine, theirs = (torch.from_numpy(item).view(2, 3, 4) for item in pair((6, 4), 0))
    targets = torch.tensor([[0, 1, IGNORED], [2, IGNORED, IGNORED]])
    spoilt = theirs.clone()
    spoilt[targets == IGNORED] = 1e3
    kept = teacher(by).loss(mine, theirs, targets)
    assert torch.equal(kept, teacher(by).loss(mine, spoilt, targets))
    distance = {"logits": by_logits, "relations": by_relations}[by]
    assert torch.equal(kept, distance(mine.flatten(0, 1)[[0, 1, 3]], theirs.flatten(0, 1)[[0, 1, 3]], 2.0))


@pytest.mark.parametrize("by", ["logits", "relations"])
def test_a_teacher_that_is_right_already_pulls_nowhere(by: str) -> None:
    logits = torch.from_numpy(pair((5, 3), 1)[0]).requires_grad_()
    teacher(by).loss(logits, logits.detach().clone(), torch.zeros(5, dtype=torch.int64)).backward()
    assert logits.grad.abs().max() < 1e-6


POINTS = np.random.default_rng(3).normal(size=(64, 5)).astype(np.float32)
WRONG = np.random.default_rng(4).integers(0, 3, 64)
"""Labels that tell nothing of the points: what is learnt comes from the teacher."""


def job_of(place: Path, network: nn.Module, taught: Teacher | None) -> loop.Job:
    return loop.Job(
        network=network,
        samples=Samples(
            [{"point": point} for point in POINTS],
            [np.array(label, np.int64) for label in WRONG],
            ("point",),
            lambda samples: {"point": np.stack([sample["point"] for sample in samples])},
        ),
        objective=CLASSES,
        outputs=3,
        validate=lambda network: 0.0,
        augment=None,
        weights=None,
        seed=0,
        checkpoint=place / "network.pt",
        progress=Silent(),
        teacher=taught,
    )


def learnt(place: Path, taught: Teacher | None, *, epochs: int = 60) -> nn.Linear:
    """A linear network after training on POINTS with labels that are noise."""
    torch.manual_seed(0)
    network = nn.Linear(5, 3)
    how = TrainSettings(epochs=epochs, batch=16, lr=0.05, weight_decay=0.0, threads=1, smoothing=0.0)
    loop.fit(job_of(place, network, taught), how)
    return network


def model() -> nn.Linear:
    torch.manual_seed(9)
    network = nn.Linear(5, 3)
    network.weight.data *= 4
    return network


def apart(one: nn.Module, other: nn.Module) -> float:
    """The mean total variation between what two networks answer on POINTS."""
    first, second = (functional.softmax(network(torch.from_numpy(POINTS)), 1) for network in (one, other))
    return ((first - second).abs().sum(1).mean() / 2).item()


def test_with_a_share_of_one_the_student_becomes_its_teacher(tmp_path: Path) -> None:
    source = model()
    table = source(torch.from_numpy(POINTS)).detach()
    online = learnt(tmp_path / "a", teacher(answers=lambda chosen, inputs: source(inputs[0]), online=True))
    by_table = learnt(tmp_path / "b", teacher(answers=lambda chosen, inputs: table[chosen]))
    alone = learnt(tmp_path / "c", None)
    assert apart(online, source) < 0.02
    assert apart(by_table, source) < 0.02
    assert apart(alone, source) > 0.3


def test_relations_teach_which_class_it_is(tmp_path: Path) -> None:
    source = model()
    taught = learnt(tmp_path, teacher("relations", answers=lambda chosen, inputs: source(inputs[0]), online=True))
    points = torch.from_numpy(POINTS)
    assert (taught(points).argmax(1) == source(points).argmax(1)).float().mean() > 0.95


def test_with_a_share_of_zero_the_teacher_has_no_say(tmp_path: Path) -> None:
    source = model()
    taught = learnt(tmp_path / "a", teacher(share=0.0, answers=lambda chosen, inputs: source(inputs[0])), epochs=3)
    alone = learnt(tmp_path / "b", None, epochs=3)
    assert torch.equal(taught.weight, alone.weight)


@pytest.mark.parametrize("online", [True, False])
def test_samples_are_mixed_only_where_the_teacher_sees_the_mixture(tmp_path: Path, online: bool) -> None:
    source, seen = model(), []

    def answers(chosen: torch.Tensor, inputs: list[torch.Tensor]) -> torch.Tensor:
        seen.append(torch.equal(inputs[0], torch.from_numpy(POINTS)[chosen]))
        return source(inputs[0])

    job = job_of(tmp_path, nn.Linear(5, 3), teacher(answers=answers, online=online))
    loop.fit(job, TrainSettings(epochs=2, batch=16, threads=1, mixup=1.0))
    assert seen
    assert all(same is not online for same in seen)
