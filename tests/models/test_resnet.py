import pytest
import torch
from torch import nn

from lepton.models import resnet
from lepton.models._shape import Shape

PHOTOS = Shape({"image": (3, 224, 224)}, 1000)


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("preset", "weights"), [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)]
)
def test_imagenet_style_has_the_published_weights(preset, weights):
    with torch.device("meta"):
        assert _weights(resnet.build(PHOTOS, preset=preset)) == weights


def test_cifar_style_has_the_weights_of_its_definition():
    """0.27 M in table 6 of the paper; its shortcuts have no weights, the projections here have 2,752."""
    body = resnet.build(Shape({"image": (3, 32, 32)}, 10), preset="resnet20")
    assert _weights(body) == 269_722 + (16 * 32 + 64) + (32 * 64 + 128)
    assert sum(isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3) for part in body.modules()) == 19


def test_the_nine_layer_network_has_eight_convolutions_and_a_head():
    body = resnet.build(Shape({"image": (3, 32, 32)}, 10), preset="resnet9", width=64)
    pairs = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    assert _weights(body) == sum(9 * a * b + 2 * b for a, b in pairs) + 512 * 10 + 10


@pytest.mark.parametrize(("side", "maps"), [(28, 28), (96, 48), (160, 40)])
def test_the_stem_goes_by_the_size(side, maps):
    body = resnet.build(Shape({"image": (3, side, side)}, 4), preset="resnet8")
    assert body.stem(torch.zeros(2, 3, side, side)).shape == (2, 16, maps, maps)


def test_a_stated_stem_wins():
    body = resnet.build(Shape({"image": (3, 96, 96)}, 4), stem="keep")
    assert body.stem(torch.zeros(2, 3, 96, 96)).shape[2:] == (96, 96)


@pytest.mark.parametrize("preset", sorted(resnet.PRESETS))
def test_tiny_images_do_not_vanish(preset):
    body = resnet.build(Shape({"image": (1, 3, 5)}, 2), preset=preset, width=4).eval()
    assert body(torch.zeros(2, 1, 3, 5)).shape == (2, 2)


def test_a_block_adds_its_input():
    body = resnet.build(Shape({"image": (1, 8, 8)}, 2), preset="resnet8").eval()
    block = body.stages[0]
    maps = torch.rand(2, 16, 8, 8)
    nn.init.zeros_(block.path[1][1].weight)
    torch.testing.assert_close(block(maps), maps)
