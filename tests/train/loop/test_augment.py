import pytest
import torch

from train.loop.augment import augment, mixup


def test_a_seed_gives_the_same_pictures_and_each_image_its_own() -> None:
    images, masks = torch.rand(1, 1, 32, 32).repeat(4, 1, 1, 1), torch.ones(4, 1, 32, 32)
    torch.manual_seed(5)
    first, _ = augment(images, masks)
    torch.manual_seed(5)
    again, _ = augment(images, masks)
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


def test_mask_and_image_move_together() -> None:
    """A bright square stays inside its mask, and the mask around the square."""
    image = torch.zeros(8, 1, 64, 64)
    image[:, :, 20:40, 24:44] = 1
    torch.manual_seed(0)
    moved, mask = augment(image, (image > 0).to(torch.uint8))
    assert mask.dtype == torch.uint8
    both = ((moved > 0.45) & (mask > 0)).sum(dim=(1, 2, 3)) / (mask > 0).sum(dim=(1, 2, 3))
    assert (both > 0.97).all()
    assert (moved[mask == 0] < 0.6).float().mean() > 0.99


def test_stays_in_range_and_black_stays_black() -> None:
    images = torch.rand(16, 1, 32, 32)
    moved, _ = augment(images, torch.ones_like(images))
    assert moved.min() >= 0
    assert moved.max() <= 1
    black, _ = augment(torch.zeros(4, 1, 32, 32), torch.ones(4, 1, 32, 32))
    assert (black == 0).all()


def test_left_stays_left() -> None:
    """No flip, in many draws: the heart lies left."""
    image = torch.zeros(200, 1, 32, 32)
    image[..., :12] = 1
    moved, _ = augment(image, torch.ones_like(image))
    assert (moved[..., :16].mean(dim=(1, 2, 3)) > moved[..., 16:].mean(dim=(1, 2, 3))).all()


def test_strength_nought_changes_nothing() -> None:
    images = torch.rand(3, 1, 32, 32)
    moved, mask = augment(images, images, strength=0.0)
    torch.testing.assert_close(moved, images, rtol=0, atol=1e-6)
    torch.testing.assert_close(mask, images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.uint8])
def test_large_masks_stay_numbers(dtype: torch.dtype) -> None:
    masks = torch.ones(8, 1, 512, 512, dtype=dtype)
    _, moved = augment(torch.rand(8, 1, 512, 512), masks)
    assert set(moved.float().unique().tolist()) == {0.0, 1.0}


def test_mixup_blends_images_and_targets_in_one_proportion() -> None:
    values = torch.arange(8.0)
    x, target = values[:, None, None, None].expand(8, 1, 4, 4), values[:, None]
    torch.manual_seed(0)
    blended, mixed = mixup(x, target, 1.0, torch.zeros(8, dtype=torch.bool))
    torch.testing.assert_close(blended[:, 0, 0, 0], mixed[:, 0])
    assert not torch.equal(mixed, target)
    assert mixed.sum().item() == pytest.approx(28)  # every image is the partner of one
    torch.manual_seed(0)
    assert torch.equal(mixup(x, target, 1.0, torch.zeros(8, dtype=torch.bool))[0], blended)


def test_mixup_leaves_old_data_among_themselves() -> None:
    old = torch.tensor([True, False] * 8)
    target = old.float()[:, None]
    torch.manual_seed(0)
    _, mixed = mixup(torch.rand(16, 1, 4, 4), target, 1.0, old)
    torch.testing.assert_close(mixed, target)
