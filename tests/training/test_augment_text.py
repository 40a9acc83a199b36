import pytest
import torch

from lepton.training._augment_text import augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch():
    mask = torch.ones(64, 100, dtype=torch.int64)
    return {"input_ids": torch.arange(6400).view(64, 100), "attention_mask": mask, "weights": torch.ones(64, 100)}


def test_strength_0_changes_nothing():
    assert augment(batch(), generator(), strength=0)["weights"].eq(1).all()


def test_shares_are_as_stated():
    changed = augment(batch(), generator(), strength=1.0)
    assert changed["attention_mask"].float().mean() == pytest.approx(0.8, abs=0.02)
    assert (changed["weights"] > 0).float().mean() == pytest.approx(0.4, abs=0.02)


def test_sums_of_weights_keep_their_expected_value():
    assert augment(batch(), generator(), strength=0.7)["weights"].mean() == pytest.approx(1.0, abs=0.03)


def test_the_first_token_stays_and_ids_are_untouched():
    given = batch()
    changed = augment(given, generator(), strength=2.0)
    assert changed["attention_mask"][:, 0].all()
    assert changed["input_ids"] is given["input_ids"]
    assert given["attention_mask"].all()
    assert changed["attention_mask"].dtype == torch.int64


def test_padding_stays_padding():
    given = batch()
    given["attention_mask"][:, 50:] = 0
    assert not augment(given, generator(), strength=0.5)["attention_mask"][:, 50:].any()


def test_equal_generators_give_equal_results():
    once, again = (augment(batch(), generator(3), strength=0.5) for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)
