import numpy as np
import pytest
import torch
from torch import nn

from lepton.core.errors import UserError
from lepton.models._network import Network, normalisation


class _Echo(nn.Module):
    def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
        return arrays[0] if len(arrays) == 1 else torch.cat(arrays, 1)


def _images(count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 5, 7), dtype=np.uint8)


def test_normalisation_of_images_is_per_channel():
    images = _images()
    mean, std = normalisation(images)
    np.testing.assert_allclose(mean, images.mean((0, 2, 3)).reshape(3, 1, 1), rtol=1e-5)
    np.testing.assert_allclose(std, images.std((0, 2, 3)).reshape(3, 1, 1), rtol=1e-5)


def test_normalisation_of_features_is_per_band_over_all_lengths():
    samples = [np.random.default_rng(n).normal(50, 0.1, (n + 1, 4)).astype(np.float32) for n in range(9)]
    mean, std = normalisation(samples)
    joined = np.concatenate(samples).astype(np.float64)
    np.testing.assert_allclose(mean, joined.mean(0), rtol=1e-5)
    np.testing.assert_allclose(std, joined.std(0), rtol=1e-4)
    assert mean.shape == (4,)


def test_normalisation_leaves_a_constant_channel_finite():
    mean, std = normalisation([np.full((1, 4, 4), 7, np.uint8)] * 3)
    assert (mean.item(), std.item()) == (7.0, 1.0)


def test_token_ids_have_no_scale():
    assert normalisation([np.arange(5)]) is None


def test_normalisation_needs_a_sample():
    with pytest.raises(UserError, match="no training sample"):
        normalisation([])


def test_network_standardises_what_it_was_measured_on():
    images = _images(50)
    out = Network(_Echo(), normalisation(images))(torch.from_numpy(images))
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_network_scales_the_first_array_alone():
    network = Network(_Echo(), (np.float32([1.0]), np.float32([2.0])))
    assert network(torch.tensor([[5]]), torch.tensor([[5]])).tolist() == [[2.0, 5.0]]


def test_network_without_scaling_hands_arrays_on_untouched():
    ids = torch.arange(6).view(2, 3)
    assert Network(_Echo())(ids) is ids
    assert not Network(_Echo()).state_dict()


def test_scaling_is_saved_and_not_trained():
    network = Network(nn.Linear(2, 1), normalisation(_images()))
    assert {"mean", "std"} < set(network.state_dict())
    assert {name for name, _ in network.named_parameters()} == {"body.weight", "body.bias"}


def test_mean_and_deviation_are_copies() -> None:
    """Buffers that share memory with what was given would be overwritten by one another when weights are loaded."""
    given = np.ones((1, 1, 1), np.float32)
    network = Network(torch.nn.Identity(), (given, given))
    network.mean += 1
    assert float(network.std.item()) == 1.0
    assert float(given.item()) == 1.0
