import torch
from torch import nn

from lepton.models import inception
from lepton.models._shape import Shape

PHOTOS = Shape({"image": (3, 224, 224)}, 1000)


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_googlenet_has_the_known_weights():
    """torchvision's googlenet without auxiliary heads has 6,624,904; its wide branch has 3x3 kernels."""
    with torch.device("meta"):
        assert _weights(inception.build(PHOTOS, preset="googlenet", kernel=3)) == 6_624_904


def test_the_paper_s_wide_kernels_add_sixteen_weights_a_pair_of_channels():
    pairs = [(16, 32), (32, 96), (16, 48), (24, 64), (24, 64), (32, 64), (32, 128), (32, 128), (48, 128)]
    with torch.device("meta"):
        weights = _weights(inception.build(PHOTOS, preset="googlenet"))
    assert weights == 6_624_904 + 16 * sum(a * b for a, b in pairs)


def test_stages_have_the_sizes_of_the_paper():
    with torch.device("meta"):
        body = inception.build(PHOTOS, preset="googlenet").eval()
        maps = body.stem(torch.zeros(1, 3, 224, 224))
        assert maps.shape == (1, 192, 28, 28)
        assert body.stages(maps).shape == (1, 1024, 7, 7)


def test_stages_may_be_longer_than_the_table():
    body = inception.build(Shape({"image": (1, 28, 28)}, 3), modules=[1, 1, 3, 1], width=0.1).eval()
    assert body(torch.zeros(2, 1, 28, 28)).shape == (2, 3)


def test_small_images_keep_their_size_through_the_stem():
    body = inception.build(Shape({"image": (1, 28, 28)}, 3))
    assert body.stem(torch.zeros(2, 1, 28, 28)).shape == (2, 16, 28, 28)
