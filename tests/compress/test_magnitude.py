import pytest
import torch
from torch import nn
from workbench import Workshop, candidate

from lepton.compress import magnitude
from lepton.core.errors import UserError
from lepton.core.settings import resolve


def weights(network: nn.Module) -> torch.Tensor:
    parts = [part for part in network.modules() if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear)]
    return torch.cat([part.weight.detach().flatten() for part in parts])


@pytest.mark.parametrize("name", ["cnn", "depthwise", "encoder", "recurrent", "bert"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_share_is_zero_and_stays_so_through_training(name, share, tmp_path):
    given = candidate(name, tmp_path)
    before = weights(given.network)
    made = magnitude.compress(given, Workshop().context(tmp_path), share=share, rate=3.0)
    after = weights(made.network)
    assert int((after == 0).sum()) == round(share * len(before))
    assert before[after == 0].abs().max() <= before[after != 0].abs().min()
    assert (after != before)[after != 0].float().mean() > 0.9
    assert all("parametrizations" not in key for key in made.network.state_dict())


def test_equal_weights_are_pruned_to_the_share(tmp_path):
    given = candidate("cnn", tmp_path)
    with torch.no_grad():
        for part in given.network.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.weight.fill_(0.5)
    made = magnitude.compress(given, Workshop().context(tmp_path), share=0.3, epochs=0)
    assert int((weights(made.network) == 0).sum()) == round(0.3 * len(weights(given.network)))


def test_a_linear_model_over_ngrams_is_refused(tmp_path):
    with pytest.raises(UserError, match="no weights"):
        magnitude.compress(candidate("linear", tmp_path), Workshop().context(tmp_path))


def test_the_search_leaves_it_out():
    assert magnitude.AUTO == ()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_out_of_range(share):
    assert len(resolve(magnitude.compress, {"share": share}, "magnitude")[1]) == 1
