import pytest
import torch

from tests.archives import phantom_pixels
from train.loop.scanners import as_elsewhere


@pytest.fixture(scope="module")
def chests() -> tuple[torch.Tensor, torch.Tensor]:
    """Eight synthetic chests of 128 pixels a side in [0, 1], and a round mask."""
    images = torch.from_numpy(phantom_pixels(8)[:, :, ::4, ::4].copy()).float() / 255
    y, x = torch.meshgrid(torch.linspace(-1, 1, 128), torch.linspace(-1, 1, 128), indexing="ij")
    return images, ((x.square() + y.square()) < 0.5).float().expand(8, 1, -1, -1).contiguous()


def test_a_seed_gives_the_same_pictures(chests: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(1)
    first = as_elsewhere(*chests, 1.0)
    torch.manual_seed(1)
    again = as_elsewhere(*chests, 1.0)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(as_elsewhere(*chests, 1.0)[0], first[0])


def test_no_strength_changes_nothing(chests: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, masks = as_elsewhere(*chests, 0.0)
    assert torch.equal(images, chests[0])
    assert torch.equal(masks, chests[1])


def test_a_chest_stays_a_chest_under_many_scanners(chests: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    likeness = []
    for _ in range(20):
        images, masks = as_elsewhere(*chests, 1.0)
        assert images.shape == chests[0].shape
        assert all(each.min() >= 0 and each.max() <= 1 for each in (images, masks))
        likeness += [float(torch.corrcoef(torch.stack([a.ravel(), b.ravel()]))[0, 1]) for a, b in zip(images, chests[0], strict=True)]
    assert min(likeness) > 0.3
    assert 0.85 < torch.tensor(likeness).median() < 0.999


def test_exposure_varies_and_the_mask_goes_with_the_image(chests: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    lit = chests[1].clone()  # an image that is its own mask stays on it, whatever happens to both
    means, overlaps = [], []
    for _ in range(10):
        images, masks = as_elsewhere(lit, chests[1], 1.0)
        shown, kept = images > 0.5, masks > 0.5
        overlaps += ((shown & kept).sum((1, 2, 3)) / (shown | kept).sum((1, 2, 3))).tolist()
        means += as_elsewhere(*chests, 1.0)[0].mean((1, 2, 3)).tolist()
    assert min(overlaps) > 0.85
    assert torch.tensor(means).std() > 1.3 * chests[0].mean((1, 2, 3)).std()
