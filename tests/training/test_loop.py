"""What the loop does besides learning: nothing where no epochs are asked for, and a refusal where nothing can learn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lepton.core.errors import UserError
from lepton.core.progress import Silent
from lepton.models._objectives import CLASSES
from lepton.training import loop
from lepton.training.data import Samples
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
