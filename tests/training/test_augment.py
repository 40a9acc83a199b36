import numpy as np
import pytest
import torch
from scipy import ndimage

from lepton.training._augment_image import _cutout, _move, augment


def _images(count: int = 64, channels: int = 3, side: int = 24) -> torch.Tensor:
    """Smooth blobs, whose bilinear look-up loses little."""
    noise = np.random.default_rng(0).random((count, channels, side, side))
    smooth = ndimage.gaussian_filter(noise, (0, 0, 3, 3))
    low, high = smooth.min((1, 2, 3), keepdims=True), smooth.max((1, 2, 3), keepdims=True)
    return torch.from_numpy((255 * (smooth - low) / (high - low)).astype(np.uint8))


def _seed(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_shape_range_and_type_are_kept(channels, dtype):
    images = _images(channels=channels).to(dtype)
    before = images.clone()
    out = augment(images, _seed(0), strength=1.0)
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert 0 <= out.min() <= out.max() <= 255
    assert torch.equal(images, before)


def test_one_seed_one_result():
    images = _images()
    assert torch.equal(augment(images, _seed(1), strength=1.0), augment(images, _seed(1), strength=1.0))
    assert not torch.equal(augment(images, _seed(1), strength=1.0), augment(images, _seed(2), strength=1.0))


def test_each_image_gets_its_own_change():
    same = _images(1).expand(16, -1, -1, -1)
    out = augment(same, _seed(0), strength=1.0)
    assert len({tuple(image.flatten().tolist()) for image in out}) == 16


def test_no_strength_changes_nothing_in_grey_images():
    images = _images(channels=1)
    torch.testing.assert_close(augment(images, _seed(0), strength=0.0), images.float(), atol=0.01, rtol=0)


def test_no_strength_mirrors_half_of_the_colour_images():
    images = _images(400).float()
    out = augment(images, _seed(0), strength=0.0)
    kept = ((out - images).abs().amax((1, 2, 3)) < 0.01).float().mean()
    mirrored = ((out - images.flip(3)).abs().amax((1, 2, 3)) < 0.01).float().mean()
    assert kept + mirrored == 1
    assert 0.4 < mirrored < 0.6


def test_grey_images_are_mirrored_where_asked():
    images = _images(channels=1).float()
    out = augment(images, _seed(0), strength=0.0, flip=True)
    assert ((out - images.flip(3)).abs().amax((1, 2, 3)) < 0.01).any()


def test_more_strength_changes_more():
    images = _images(channels=1).float()
    changes = [(augment(images, _seed(0), strength=s) - images).abs().mean().item() for s in (0.1, 0.4, 1.0)]
    assert changes == sorted(changes)


def test_moving_keeps_shapes_round(monkeypatch):
    """A turn must not shear: scipy's rotation about the centre is the reference."""
    image = _images(1, 1, 33).float()
    monkeypatch.setattr("lepton.training._augment_image._draw", lambda *_: torch.tensor([[1.0, 0, 0, 0, 0]]))
    out = _move(image, _seed(0), (1.0, False))[0, 0].numpy()
    wanted = ndimage.rotate(image[0, 0].numpy(), 20, reshape=False, order=1, mode="grid-mirror")
    np.testing.assert_allclose(out[4:-4, 4:-4], wanted[4:-4, 4:-4], atol=0.5)


def test_half_of_the_images_get_a_hole_of_their_mean():
    checks = torch.tensor([50.0, 250.0]).repeat(400, 1, 20, 10)
    out = _cutout(checks, _seed(0), 1.0)
    changed = out != checks
    assert (out[changed] == 150).all()
    assert 0.3 < changed.any(-1).any(-1).float().mean() <= 0.5
    rows, columns = changed[:, 0].any(2).float().mean(1), changed[:, 0].any(1).float().mean(1)
    assert max(rows.max(), columns.max()) <= 0.4 + 0.05


def test_an_empty_batch_passes():
    assert augment(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), _seed(0), strength=1.0).shape == (0, 3, 8, 8)
