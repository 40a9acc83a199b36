import numpy as np
import pytest
import torch
from text_families import LENGTHS, TAGGED, TOKENS, count, moved, tokens
from torch import nn
from torch.nn.utils import rnn

from lepton.models import recurrent


@pytest.mark.parametrize(("cell", "reference"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_reads_as_torch_reads_packed_sequences(cell, reference):
    body = moved(recurrent.build(TAGGED, preset="tiny", cell=cell)).body
    known = reference(64, 48, batch_first=True, bidirectional=True)
    known.load_state_dict(
        {
            f"{name}{suffix}": value
            for part, suffix in zip(body.layers[0], ("", "_reverse"), strict=True)
            for name, value in part.state_dict().items()
        }
    )
    batch = tokens()
    packed = rnn.pack_padded_sequence(body.embed(batch["input_ids"]), LENGTHS, batch_first=True, enforce_sorted=False)
    wanted, _ = rnn.pad_packed_sequence(known(packed)[0], batch_first=True)
    got = body(*batch.values())
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(got[row, :length].detach(), wanted[row, :length].detach(), atol=1e-5)


def test_parameters_are_counted_by_hand():
    network = recurrent.build(TOKENS, width=10, hidden=6, layers=1, cell="gru", pool="mean")
    assert count(network) == 50 * 10 + 2 * 3 * (10 * 6 + 6 * 6 + 12) + (12 * 3 + 3)


def test_order_matters():
    network = moved(recurrent.build(TOKENS, preset="tiny"))
    batch = tokens()
    turned = batch["input_ids"].clone()
    turned[1] = turned[1].flip(0)
    assert not torch.allclose(network(*batch.values())[1], network(turned, batch["attention_mask"])[1])
