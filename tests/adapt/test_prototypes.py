"""Prototypes: the class whose mean is nearest, by the angle or as the crow flies."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid
from torch import nn
from torch.nn import functional

from lepton.adapt import prototypes
from lepton.core.errors import UserError

HEAD = {"head.weight", "head.bias"}


def network() -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("body", nn.Linear(4, 6))
    made.add_module("head", nn.Linear(6, 3))
    return made


def drawn(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 3
    centres = torch.randn(3, 6, generator=torch.Generator().manual_seed(9))
    return 3 + centres[targets] + torch.randn(count, 6, generator=random), targets


def answered(distance: str, features: torch.Tensor) -> torch.Tensor:
    how = prototypes.adapt(network(), HEAD, distance=distance)
    assert how.solve is not None
    assert (how.epochs, how.layers) == (0, [])
    rows, biases = how.solve(*drawn(30, 0), outputs=3, weights=None)
    return functional.linear(features, rows, biases)


def test_euclidean_ones_answer_as_the_nearest_centroid() -> None:
    (seen, targets), (asked, _) = drawn(30, 0), drawn(200, 1)
    theirs = NearestCentroid().fit(seen.numpy(), targets.numpy()).predict(asked.numpy())
    np.testing.assert_array_equal(answered("euclidean", asked).argmax(1).numpy(), theirs)


def test_cosine_ones_answer_by_the_angle_between_centred_features() -> None:
    (seen, targets), (asked, _) = drawn(30, 0), drawn(200, 1)
    unit = functional.normalize(seen - seen.mean(0))
    means = torch.stack([unit[targets == kind].mean(0) for kind in range(3)])
    angles = functional.cosine_similarity((asked - seen.mean(0))[:, None], means[None], dim=2)
    assert torch.equal(answered("cosine", asked).argmax(1), angles.argmax(1))


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_chances_are_about_as_high_as_the_answers_are_right(distance: str) -> None:
    asked, targets = drawn(3000, 2)
    sure, named = functional.softmax(answered(distance, asked), 1).max(1)
    right = (named == targets).float().mean()
    assert 0.5 < right < 0.95
    assert abs(float(sure.mean() - right)) < 0.1


def test_a_class_without_records_is_never_answered() -> None:
    solve = prototypes.adapt(network(), HEAD).solve
    assert solve is not None
    features = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    rows, biases = solve(features, torch.arange(8) % 2, outputs=3, weights=None)
    assert set(functional.linear(features, rows, biases).argmax(1).tolist()) == {0, 1}


def test_single_records_of_a_class_are_their_own_means() -> None:
    solve = prototypes.adapt(network(), HEAD).solve
    assert solve is not None
    features = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    rows, biases = solve(features, torch.tensor([2, 0, 1]), outputs=3, weights=None)
    assert functional.linear(features, rows, biases).argmax(1).tolist() == [2, 0, 1]


def test_a_head_of_several_layers_is_refused() -> None:
    with pytest.raises(UserError, match="one dense layer"):
        prototypes.adapt(network(), {*HEAD, "body.weight"})
