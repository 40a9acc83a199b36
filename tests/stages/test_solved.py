"""A head that is solved for: from the features of the records, token by token where tokens have targets."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lepton.adapt._logistic import logistic
from lepton.core.errors import UserError
from lepton.core.types import Arrays
from lepton.models._objectives import IGNORED
from lepton.stages._solved import Solver
from lepton.training.data import Samples

RANDOM = np.random.default_rng(0)


def padded(samples: Sequence[Arrays]) -> Arrays:
    longest = max(len(sample["x"]) for sample in samples)
    rows = [
        np.pad(sample["x"], [(0, longest - len(sample["x"])), *[(0, 0)] * (sample["x"].ndim - 1)]) for sample in samples
    ]
    return {"x": np.stack(rows)}


def network(**more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential()
    for name, part in {
        "body": nn.Linear(5, 4),
        "bend": nn.Tanh(),
        "drop": nn.Dropout(0.5),
        "head": nn.Linear(4, 3),
        **more,
    }.items():
        made.add_module(name, part)
    return made


def samples(shapes: Sequence[tuple[int, ...]], targets: Sequence[np.ndarray]) -> Samples:
    return Samples([{"x": RANDOM.normal(size=shape).astype(np.float32)} for shape in shapes], targets, ("x",), padded)


def solver(given: Samples) -> Solver:
    return Solver("head", lambda *seen, **more: logistic(*seen, strength=0.01, **more), given, None)


def test_the_head_is_that_of_the_features_of_all_records_without_dropout() -> None:
    given = samples([(5,)] * 300, [np.array(number % 3) for number in range(300)])
    made = network().train()
    body = [value.clone() for value in made.body.parameters()]
    solver(given).settle(made)
    with torch.no_grad():
        features = made[:2](torch.from_numpy(np.stack([item["x"] for item in given.arrays])))
    rows, biases = logistic(features, torch.arange(300) % 3, outputs=3, strength=0.01)
    torch.testing.assert_close(made.head.weight.detach(), rows, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(made.head.bias.detach(), biases, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(value, before) for value, before in zip(made.body.parameters(), body, strict=True))
    assert not made.training


def test_tokens_are_seen_one_by_one_but_for_those_that_do_not_count() -> None:
    lengths = [int(length) for length in RANDOM.integers(2, 9, 40)]
    targets = [RANDOM.integers(0, 3, length) for length in lengths]
    for target in targets:
        target[0] = IGNORED
    given = samples([(length, 5) for length in lengths], targets)
    made = network()
    solver(given).settle(made)
    with torch.no_grad():
        features = torch.cat([made[:2](torch.from_numpy(item["x"][1:])) for item in given.arrays])
    rows, _ = logistic(
        features, torch.from_numpy(np.concatenate([target[1:] for target in targets])), outputs=3, strength=0.01
    )
    torch.testing.assert_close(made.head.weight.detach(), rows, rtol=1e-3, atol=1e-4)


def test_a_head_that_does_not_give_the_logits_is_refused() -> None:
    class Turned(nn.Module):
        def forward(self, logits: Tensor) -> Tensor:
            return logits.flip(-1)

    given = samples([(5,)] * 6, [np.array(number % 3) for number in range(6)])
    with pytest.raises(UserError, match="cannot be solved for"):
        solver(given).settle(network(turn=Turned()))
