"""Every method on every family: nothing changes before training, what is frozen stays, what is merged answers alike."""

import pytest
import torch

from lepton.adapt._adapted import Adapted
from lepton.core import plugins, settings
from lepton.core.errors import UserError

METHODS = plugins.names("adapt")
FEW = {"lora": {"rank": 2}, "adapters": {"width": 4}}
"""Settings that find room in tiny networks."""

NOTHING = {
    ("bag", "adapters"), ("bag", "bitfit"), ("bag", "ia3"), ("bag", "lora"), ("bag", "norm"),
    ("bag", "contrastive"), ("bag", "prototypes"), ("blend", "contrastive"), ("blend", "prototypes"),
    ("blend", "norm"), ("cnn", "adapters"), ("cnn", "norm"), ("recurrent", "norm"), ("textcnn", "norm"),
}  # fmt: skip
"""Families without layers, or a head, of a method's kind: they are refused."""

WHOLE = {name for name in METHODS if getattr(plugins.load("adapt", name), "WHOLE", False)}


def test_all_methods_are_seen() -> None:
    assert len(METHODS) >= 9
    assert {"full", "contrastive"} == WHOLE
    assert all(plugins.load("adapt", name).adapt.__doc__ for name in METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_on_a_family(method: str, backbone) -> None:
    module = plugins.load("adapt", method)
    given = settings.settle(module.adapt, FEW.get(method, {}), "adapt")
    network, head, before = backbone.network, backbone.head, backbone.logits()
    own = {name: (value, value.detach().clone()) for name, value in network.named_parameters()}
    statistics = [(value, value.clone()) for value in network.buffers()]
    torch.manual_seed(2)
    if (backbone.name, method) in NOTHING:
        with pytest.raises(UserError, match="nothing in the network"):
            module.adapt(network, head, **given)
        return
    how: Adapted = module.adapt(network, head, **given)
    if method != "norm":
        torch.testing.assert_close(backbone.logits(), before, rtol=0, atol=1e-6)
    backbone.train(list(how.still))
    frozen = [pair for pair in own.values() if not pair[0].requires_grad]
    kept = frozen if method in ("full", "norm") else [*frozen, *statistics]
    assert all(torch.equal(value, earlier) for value, earlier in kept), "what is not trained stays bit for bit"
    assert bool(frozen) == (method not in WHOLE and len(head) < len(own))
    assert all(not torch.equal(own[name][0], own[name][1]) for name in head if name != "body.bias")
    _merges(module, backbone, given)


def _merges(module, backbone, given: dict) -> None:
    trained = backbone.logits()
    if hasattr(module, "merge"):
        module.merge(backbone.network)
    merged = backbone.logits()
    torch.testing.assert_close(merged, trained, rtol=1e-5, atol=1e-5)
    again = backbone.fresh()
    if getattr(module, "STAYS", False):
        module.adapt(again, backbone.head, **given)
    again.load_state_dict(backbone.network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(*backbone.inputs), merged)
    assert list(again.state_dict()) == list(backbone.network.state_dict())
