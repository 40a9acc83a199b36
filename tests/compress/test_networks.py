import numpy as np
import pytest
import torch
from torch import nn
from workbench import CLASSES, Workshop, candidate

from lepton.compress import _networks, channels, heads
from lepton.core.errors import UserError


class Stubborn(nn.Module):
    """A network whose code names its sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(48, 32)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, image):
        return self.head(self.wide(image.float().mean(2).flatten(1)).view(-1, 32))


class Sourceless(nn.Module):
    """A network that joins what no layer gave, whose widths the tracer cannot tell."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(96, CLASSES)

    def forward(self, image):
        rows = image.float().mean(2).flatten(1).requires_grad_()
        return self.head(torch.cat([2 * rows, 3 * rows], 1))


def test_code_that_names_its_sizes_is_refused(tmp_path):
    given = candidate("cnn", tmp_path).with_network(Stubborn())
    with pytest.raises(UserError, match="does not work with fewer channels"):
        channels.compress(given, Workshop().context(tmp_path))


def test_a_network_that_cannot_be_traced_is_refused(tmp_path):
    given = candidate("cnn", tmp_path).with_network(Sourceless())
    with pytest.raises(UserError, match="cannot be followed"):
        channels.compress(given, Workshop().context(tmp_path))


def test_a_graph_is_our_mistake(tmp_path):
    given = candidate("cnn", tmp_path).with_network(None)
    with pytest.raises(RuntimeError, match="no network"):
        heads.compress(given, Workshop().context(tmp_path))


def test_batches_hold_every_sample_once(tmp_path):
    given, workshop = candidate("textcnn", tmp_path), Workshop()
    found = list(_networks.batches(given, workshop.context(tmp_path), 70))
    assert [len(ids) for ids, _ in found] == [32, 32, 6]
    samples = workshop.samples(given, 70)
    kept = [ids[mask.bool()].numpy() for pair in found for ids, mask in zip(*pair, strict=True)]
    assert all(np.array_equal(one, sample["input_ids"]) for one, sample in zip(kept, samples, strict=True))


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3)])
def test_doubt_is_the_negative_log_of_the_likeliest(shape):
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    wanted = -logits.log_softmax(-1).amax(-1).sum()
    torch.testing.assert_close(_networks.doubt(logits), wanted)
