"""The head that is solved for: scikit-learn's optimum, with a strength that held-out records chose."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from lepton.adapt import _logistic
from lepton.adapt._logistic import logistic

RECORDS, FEATURES, CLASSES = 60, 5, 3


def drawn(noise: float, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of unequal sizes around a point for each class; one of them never changes."""
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(RECORDS) % CLASSES
    points = torch.randn(CLASSES, FEATURES, generator=random)[targets]
    features = points + noise * torch.randn(RECORDS, FEATURES, generator=random)
    return torch.cat([features * torch.tensor([1, 10, 0.1, 1, 1]), torch.full((RECORDS, 1), 7.0)], 1), targets


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
def test_it_is_the_optimum_that_scikit_learn_finds(weights: torch.Tensor | None) -> None:
    features, targets = drawn(1.0)
    rows, biases = logistic(features, targets, outputs=CLASSES, weights=weights, strength=0.01)
    spread = features.std(0, correction=0)
    scaled = ((features - features.mean(0)) / torch.where(spread < 1e-6, 1.0, spread)).double().numpy()
    counted = np.ones(RECORDS) if weights is None else weights[targets].double().numpy()
    theirs = LogisticRegression(C=1 / (0.01 * counted.sum()), tol=1e-10, max_iter=10_000)
    theirs.fit(scaled, targets.numpy(), sample_weight=counted)
    ours = functional.softmax(functional.linear(features.double(), rows.double(), biases.double()), 1)
    np.testing.assert_allclose(ours.numpy(), theirs.predict_proba(scaled), atol=1e-4)


def test_the_strength_is_the_one_that_held_out_records_like_best() -> None:
    strong, weak = (
        logistic(*drawn(noise), outputs=CLASSES)[0] * drawn(noise)[0].std(0, correction=0) for noise in (5.0, 0.3)
    )
    assert 5 * strong.norm() < weak.norm()


def test_a_class_without_records_and_classes_of_one_have_rows() -> None:
    features = torch.eye(3)
    rows, biases = logistic(features, torch.tensor([0, 1, 3]), outputs=4)
    chances = functional.softmax(functional.linear(features, rows, biases), 1)
    assert chances.argmax(1).tolist() == [0, 1, 3]
    assert chances[:, 2].max() < 0.2


def test_held_out_records_are_dealt_by_class_and_single_ones_are_never() -> None:
    targets = torch.tensor([0] * 10 + [1] * 7 + [2])
    folds = _logistic._held_out(targets)
    assert [int(fold[:10].sum()) for fold in folds] == [2] * 5
    assert [int(fold[10:17].sum()) for fold in folds] == [2, 2, 1, 1, 1]
    assert not any(bool(fold[17]) for fold in folds)
    assert torch.stack(list(folds)).sum(0).max() == 1
