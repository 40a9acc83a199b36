"""The contrastive loss: its formula, term by term, and what tuning by it does to features."""

import math

import pytest
import torch
from torch.nn import functional

from lepton.adapt.contrastive import apart

FEATURES = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 0, 0, 1, 1, 2, 0])


def formula(features: torch.Tensor, targets: list[int], temperature: float) -> float:
    """Khosla et al. (2020), equation 2, by loops."""

    def close(one: int, other: int) -> float:
        return math.exp(float(functional.cosine_similarity(features[one], features[other], dim=0)) / temperature)

    terms = []
    for anchor, kind in enumerate(targets):
        others = [each for each in range(len(targets)) if each != anchor]
        alike = [each for each in others if targets[each] == kind]
        total = sum(close(anchor, each) for each in others)
        if alike:
            terms.append(-sum(math.log(close(anchor, each) / total) for each in alike) / len(alike))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_its_formula(temperature: float) -> None:
    found = float(apart(FEATURES, TARGETS, temperature=temperature))
    assert found == pytest.approx(formula(FEATURES, TARGETS.tolist(), temperature), rel=1e-5)


def test_records_without_another_of_their_class_give_no_loss_and_no_gradient_that_is_not_a_number() -> None:
    features = FEATURES.clone().requires_grad_()
    loss = apart(features, torch.arange(7), temperature=0.1)
    loss.backward()
    assert (float(loss.detach()), float(features.grad.abs().max())) == (0.0, 0.0)


def test_following_it_brings_classes_together_and_apart() -> None:
    features = FEATURES.clone().requires_grad_()
    optimizer = torch.optim.Adam([features], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        apart(features, TARGETS, temperature=0.1).backward()
        optimizer.step()
    unit = functional.normalize(features.detach())
    alike = TARGETS[:, None] == TARGETS
    assert (unit @ unit.T)[alike].min() > 0.9
    assert (unit @ unit.T)[~alike].max() < 0.2
