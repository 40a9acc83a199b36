"""What the loop does besides learning: nothing where no epochs are asked for, and a refusal where nothing can learn."""

import copy
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from lepton.core.errors import UserError
from lepton.core.progress import Silent
from lepton.models._objectives import CLASSES
from lepton.training import loop
from lepton.training.beside import Beside
from lepton.training.data import Loader, Samples
from lepton.training.settings import TrainSettings

POINTS = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)


def stacked(samples: list) -> dict[str, np.ndarray]:
    return {"features": np.stack([sample["features"] for sample in samples])}


def job_of(place: Path, network: nn.Module) -> loop.Job:
    targets = [np.array(index % 3) for index in range(len(POINTS))]
    return loop.Job(
        network=network,
        samples=Samples([{"features": point} for point in POINTS], targets, ("features",), stacked),
        objective=CLASSES,
        outputs=3,
        validate=lambda found: 0.25 if found.training is False else 0.0,
        augment=None,
        weights=None,
        seed=0,
        checkpoint=place / "network.pt",
        progress=Silent(),
    )


def test_no_epochs_leave_the_network_as_it_is_and_measure_it(tmp_path: Path) -> None:
    network = nn.Linear(5, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    history = loop.fit(job_of(tmp_path, network), TrainSettings(epochs=0, batch=40, threads=1))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    targets = torch.arange(40) % 3
    loss = nn.functional.cross_entropy(network(torch.from_numpy(POINTS)), targets)
    assert [(row["epoch"], row["metric"]) for row in history] == [(0, 0.25)]
    assert history[0]["loss"] == pytest.approx(loss.item())
    assert not list(tmp_path.iterdir())


def test_a_network_without_weights_to_train_is_refused(tmp_path: Path) -> None:
    network = nn.Linear(5, 3).requires_grad_(False)
    with pytest.raises(UserError, match="nothing to train"):
        loop.fit(job_of(tmp_path, network), TrainSettings(epochs=1, batch=8, threads=1))


def test_the_batch_whose_loss_is_not_a_number_is_named(tmp_path: Path) -> None:
    class Breaks(nn.Module):
        """A layer that gives NaN from its fourth call in training on."""

        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(5, 3), 0

        def forward(self, points: torch.Tensor) -> torch.Tensor:
            self.calls += self.training
            return self.layer(points) * (torch.nan if self.calls > 3 else 1.0)

    with pytest.raises(UserError, match=r"diverged\. The loss of epoch 1, batch 4 of 20 is not a number"):
        loop.fit(job_of(tmp_path, Breaks()), TrainSettings(epochs=1, batch=2, threads=1))


def deep() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


PLAIN = TrainSettings(
    epochs=2, batch=20, threads=1, optimizer="sgd", schedule="constant", lr=0.1, clip=0, weight_decay=0, smoothing=0
)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_what_has_a_rate_of_nought_stays_and_the_rest_learns(tmp_path: Path, optimizer: str) -> None:
    network = deep()
    before = [value.clone() for value in network[0].parameters()]
    job = replace(job_of(tmp_path, network), rates={"0.weight": 0.0, "0.bias": 1.0})
    loop.fit(job, replace(PLAIN, optimizer=optimizer))
    assert torch.equal(network[0].weight, before[0])
    assert not torch.equal(network[0].bias, before[1])


def test_half_the_rate_is_half_the_step(tmp_path: Path) -> None:
    steps = []
    for place, rates in (("a", {}), ("b", {"weight": 0.5})):
        torch.manual_seed(0)
        network = nn.Linear(5, 3)
        before = network.weight.clone()
        loop.fit(replace(job_of(tmp_path / place, network), rates=rates), replace(PLAIN, epochs=1, batch=40))
        steps.append(network.weight - before)
    torch.testing.assert_close(steps[1], steps[0] / 2)


def test_what_is_not_thawed_yet_is_neither_trained_nor_measured(tmp_path: Path) -> None:
    network = deep()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    seen = []

    def watch(found: nn.Module) -> float:
        seen.append({name: torch.equal(value, before[name]) for name, value in found.state_dict().items()})
        found.eval()
        return 0.0

    thaws = {name: 0.5 for name, _ in network.named_parameters() if not name.startswith("2.")}
    loop.fit(replace(job_of(tmp_path, network), thaws=thaws, validate=watch), PLAIN)
    first, second = seen
    assert {name for name, same in first.items() if same} == {name for name in before if not name.startswith("2.")}
    assert not any(second.values())


def test_modules_that_are_held_keep_their_statistics(tmp_path: Path) -> None:
    network = deep()
    mean = network[1].running_mean.clone()
    loop.fit(replace(job_of(tmp_path / "a", network), still=["1"]), PLAIN)
    assert torch.equal(network[1].running_mean, mean)
    loop.fit(job_of(tmp_path / "b", network), PLAIN)
    assert not torch.equal(network[1].running_mean, mean)


class Recurrent(nn.Module):
    """A GRU over one step, its weights parametrised as adaptation leaves them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.GRU(5, 4, batch_first=True), nn.Linear(4, 3)
        parametrize.register_parametrization(self.inner, "weight_ih_l0", Doubled())

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.head(self.inner(points[:, None])[0][:, 0])


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def test_a_parametrised_recurrent_network_that_was_asked_before_is_averaged(tmp_path: Path) -> None:
    network = Recurrent()
    network(torch.from_numpy(POINTS)).sum().backward()
    assert len(loop.fit(job_of(tmp_path, network), replace(PLAIN, ema=0.5))) == 2


def test_a_loss_beside_sees_a_layers_inputs_and_joins_by_its_share(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    before = copy.deepcopy(network)
    seen = []

    def loss(features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append((features.detach().clone(), targets))
        return features.square().sum()

    beside = Beside("2", loss, share=0.25, together=2)
    settings = TrainSettings(epochs=1, batch=40, threads=1, smoothing=0, weight_decay=0, mixup=1.0)
    history = loop.fit(replace(job_of(tmp_path, network), beside=beside), settings)
    (features, targets), whole = seen[0], torch.from_numpy(POINTS)
    before.requires_grad_(requires_grad=False)
    own = nn.functional.cross_entropy(before(whole), torch.arange(40) % 3)
    assert history[0]["loss"] == pytest.approx(float(0.75 * own + 0.25 * features.square().sum()), rel=1e-5)
    sums = torch.stack([before[:2](whole)[torch.arange(40) % 3 == kind].sum(0) for kind in range(3)])
    torch.testing.assert_close(torch.stack([features[targets == kind].sum(0) for kind in range(3)]), sums)
    assert not network[2]._forward_pre_hooks


def test_batches_by_class_have_each_record_once_and_several_of_a_class() -> None:
    targets = [np.array(kind) for kind in [0] * 9 + [1] * 8 + [2] * 4 + [3]]
    points = [{"features": np.array([place], np.float32)} for place in range(len(targets))]
    loader = Loader(Samples(points, targets, ("features",), stacked), batch=11, seed=1, together=4)
    epochs = [[batch[1:] for batch in loader.epoch(number)] for number in (0, 0, 1)]
    orders = [torch.cat([chosen for _, chosen in epoch]).tolist() for epoch in epochs]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(22))
    runs = [len(list(group)) for _, group in groupby(torch.cat([kinds for kinds, _ in epochs[0]]).tolist())]
    assert len(runs) <= 3 + 2 + 1 + 1
