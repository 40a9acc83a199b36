import pytest
import torch
from torch import nn

from lepton.core.errors import UserError
from lepton.models import cnn
from lepton.models._shape import Shape

DIGITS = Shape({"image": (1, 28, 28)}, 10)


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_seed_is_one_convolution_one_pool_one_dense_layer():
    body = cnn.build(DIGITS, preset="seed").eval()
    assert _weights(body) == 32 * 9 + 32 + 13 * 13 * 32 * 10 + 10
    images = torch.randn(3, 1, 28, 28)
    layers = [part for part in body.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    maps = nn.functional.max_pool2d(layers[0](images).relu(), 2)
    torch.testing.assert_close(body(images), layers[1](maps.flatten(1)))


def test_lenet_has_the_weights_of_its_definition():
    body = cnn.build(DIGITS, preset="lenet")
    convolutions = 6 * 25 + 6 + 16 * 6 * 25 + 16
    dense = 16 * 4 * 4 * 120 + 120 + 120 * 84 + 84 + 84 * 10 + 10
    assert _weights(body) == convolutions + dense


def test_settings_override_the_preset():
    body = cnn.build(
        DIGITS, widths=[4, 6], kernel=5, padding="same", batch_norm=True, gather="mean", dense=[7], activation="gelu"
    )
    convolutions = 4 * 25 + 2 * 4 + 6 * 4 * 25 + 2 * 6
    assert _weights(body) == convolutions + 6 * 7 + 7 + 7 * 10 + 10
    assert not any(isinstance(part, nn.ReLU) for part in body.modules())


@pytest.mark.parametrize("size", [(1, 1), (8, 30)])
def test_images_too_small_are_refused(size):
    with pytest.raises(UserError, match="too small.*Received: "):
        cnn.build(Shape({"image": (1, *size)}, 2), preset="lenet")


def test_other_data_is_refused():
    with pytest.raises(UserError, match="one fixed size"):
        cnn.build(Shape({"input_ids": (0,)}, 2))
