import pytest
import torch
from workbench import Workshop, answers, batch, candidate, rebuilt, size

from lepton.compress import heads
from lepton.core.errors import UserError
from lepton.core.settings import resolve
from lepton.models._attention import attentions

WITH_HEADS = ["encoder", "encoder-post", "bert", "distilbert", "vit"]


def silenced(given, dead: list[tuple[int, int]]):
    """Take what the heads of `dead` (layer, head) give out of the answers."""
    found = attentions(given.network)
    with torch.no_grad():
        for layer, head in dead:
            each = found[layer]
            each.writes.weight[:, head * each.size : (head + 1) * each.size] = 0
    return given


@pytest.mark.parametrize("name", WITH_HEADS)
def test_silent_heads_go_and_nothing_changes(name, tmp_path):
    dead = [(0, 1), (0, 2), (1, 0), (2, 3)]
    given = silenced(candidate(name, tmp_path), dead)
    made = heads.compress(given, Workshop().context(tmp_path), share=4 / 12, epochs=0)
    assert [each.heads for each in attentions(made.network)] == [2, 3, 3]
    inputs = batch(given)
    torch.testing.assert_close(answers(made.network, inputs), answers(given.network, inputs))


@pytest.mark.parametrize("name", WITH_HEADS)
def test_importance_is_what_a_gate_changes(name, tmp_path):
    given = candidate(name, tmp_path)
    found, inputs = attentions(given.network), batch(given, 1)
    slopes = heads._slopes(given.network, found, inputs)
    each, step = found[1], 1e-2
    columns = slice(each.size, 2 * each.size)

    def loss(gate: float) -> float:
        kept = each.writes.weight.detach().clone()
        with torch.no_grad():
            each.writes.weight[:, columns] *= gate
            found = heads.doubt(given.network(*inputs))
            each.writes.weight.copy_(kept)
        return float(found)

    wanted = (loss(1 + step) - loss(1 - step)) / (2 * step)
    assert float(slopes[1][0, 1]) == pytest.approx(wanted, rel=0.05, abs=1e-3)


def test_every_layer_keeps_a_head(tmp_path):
    made = heads.compress(candidate("encoder", tmp_path), Workshop().context(tmp_path), share=0.95, epochs=0)
    assert [each.heads for each in attentions(made.network)] == [1, 1, 1]


def test_a_second_time_takes_more(tmp_path):
    context = Workshop().context(tmp_path)
    once = heads.compress(candidate("bert", tmp_path), context, epochs=0)
    twice = heads.compress(once, context, epochs=0)
    assert size(twice.network) < size(once.network)
    torch.testing.assert_close(answers(rebuilt(twice), batch(twice)), answers(twice.network, batch(twice)))


@pytest.mark.parametrize("name", ["cnn", "recurrent", "bag"])
def test_networks_without_attention_are_refused(name, tmp_path):
    with pytest.raises(UserError, match="no attention heads") as caught:
        heads.compress(candidate(name, tmp_path), Workshop().context(tmp_path))
    assert "0 heads in 0 layers" in caught.value.message


def test_heads_that_share_a_table_are_left_alone(tmp_path):
    given = candidate("bert", tmp_path)
    for each in attentions(given.network):
        each.owner.register_parameter("relative_position_bias", torch.nn.Parameter(torch.zeros(9, 4)))
    with pytest.raises(UserError, match="no attention heads"):
        heads.compress(given, Workshop().context(tmp_path))


@pytest.mark.parametrize("share", [0.0, 0.96, 1])
def test_shares_out_of_range(share):
    assert [fault.what for fault in resolve(heads.compress, {"share": share}, "heads")[1]] == ["[heads.share] is wrong"]
