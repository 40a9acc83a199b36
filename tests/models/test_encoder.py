import pytest
import torch
from text_families import TOKENS, count, moved, tokens
from torch import nn

from lepton.core.errors import UserError
from lepton.models import encoder


def test_parameters_are_counted_by_hand():
    network = encoder.build(TOKENS, width=8, heads=2, layers=1, expand=2, longest=16)
    block = (8 * 24 + 24) + (8 * 8 + 8) + (8 * 16 + 16) + (16 * 8 + 8) + 2 * 16
    assert count(network) == 50 * 8 + 16 * 8 + 2 * 16 + block + (8 * 3 + 3)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_is_torchs_encoder_layer(norm):
    network = moved(encoder.build(TOKENS, width=8, heads=2, layers=1, expand=2, norm=norm))
    block = network.blocks[0]
    known = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=norm == "pre").eval()
    known.load_state_dict(
        {
            "self_attn.in_proj_weight": block.read.weight,
            "self_attn.in_proj_bias": block.read.bias,
            **{f"self_attn.out_proj.{name}": value for name, value in block.write.state_dict().items()},
            **{f"linear1.{name}": value for name, value in block.wide[0].state_dict().items()},
            **{f"linear2.{name}": value for name, value in block.wide[2].state_dict().items()},
            **{f"norm1.{name}": value for name, value in block.norms[0].state_dict().items()},
            **{f"norm2.{name}": value for name, value in block.norms[1].state_dict().items()},
        }
    )
    mask = tokens()["attention_mask"]
    states = torch.randn(*mask.shape, 8, generator=torch.Generator().manual_seed(0))
    wanted = known(states, src_key_padding_mask=mask == 0)
    keep = mask.bool()
    torch.testing.assert_close(block(states, mask)[keep], wanted[keep], atol=1e-5, rtol=1e-4)


def test_heads_must_divide_the_width():
    with pytest.raises(UserError, match="heads"):
        encoder.build(TOKENS, width=10, heads=4)


def test_smaller_keeps_the_heads_whole():
    for fraction in (0.1, 0.3, 0.55, 0.9):
        assert encoder.smaller({"preset": "mini"}, fraction)["width"] % 4 == 0
