"""What the networks see, against formulas and against Pillow's resize."""

import numpy as np
import pytest
import torch
from PIL import Image

from schemas.bundle import Preprocessing
from screening.cascade.network_input import lung_mask_of, network_input

PREPROCESSING = Preprocessing(mean=0.4, std=0.2)


def random_pixels(images: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (images, 1, 512, 512), dtype=np.uint8))


def test_full_size_without_mask_is_the_formula():
    pixels = random_pixels()
    before = pixels.clone()
    x = network_input(pixels, PREPROCESSING, 512)
    torch.testing.assert_close(x, (pixels / 255 - 0.4) / 0.2)
    assert torch.equal(pixels, before)


def test_smaller_sizes_average_as_pillow_does():
    pixels = random_pixels(1)
    for size in (256, 384, 64):
        pillow = Image.fromarray(pixels[0, 0].numpy().astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
        expected = (torch.from_numpy(np.array(pillow)) / 255 - 0.4) / 0.2
        torch.testing.assert_close(network_input(pixels, PREPROCESSING, size)[0, 0], expected, rtol=1e-3, atol=1e-4)


def test_outside_the_lungs_is_exactly_zero_and_inside_is_untouched():
    pixels = random_pixels()
    mask = torch.zeros(2, 256, 256, dtype=torch.bool)
    mask[:, 100:200, 50:60] = True
    x = network_input(pixels, PREPROCESSING, 512, mask)
    inside = torch.zeros(2, 1, 512, 512, dtype=torch.bool)
    inside[:, :, 200:400, 100:120] = True
    assert (x[~inside] == 0).all()
    assert torch.equal(x[inside], network_input(pixels, PREPROCESSING, 512)[inside])


def test_the_heatmap_multiplies_what_the_network_would_see():
    pixels = random_pixels()
    mask = torch.ones(2, 64, 64, dtype=torch.bool)
    masked = network_input(pixels, PREPROCESSING, 256, mask)
    assert torch.equal(network_input(pixels, PREPROCESSING, 256, mask, torch.ones(2, 16, 16)), masked)
    torch.testing.assert_close(network_input(pixels, PREPROCESSING, 256, mask, torch.full((2, 16, 16), 0.25)), masked / 4)
    assert (network_input(pixels, PREPROCESSING, 256, mask, torch.zeros(2, 16, 16)) == 0).all()


def test_stages_behind_the_mask_see_a_power_of_the_pixels_and_stage_1_does_not():
    pixels, brighter = random_pixels(), Preprocessing(mean=0.4, std=0.2, gamma=0.6)
    mask = torch.ones(2, 64, 64, dtype=torch.bool)
    expected = ((pixels.float() / 255) ** 0.6 - 0.4) / 0.2
    torch.testing.assert_close(network_input(pixels, brighter, 512, mask), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(network_input(pixels, brighter, 512, mask, torch.full((2, 8, 8), 0.5)), 0.5 * expected, rtol=0, atol=1e-6)
    assert torch.equal(network_input(pixels, brighter, 512), network_input(pixels, PREPROCESSING, 512))
    assert torch.equal(network_input(pixels[1:], brighter, 256, mask[1:])[0], network_input(pixels, brighter, 256, mask)[1])


def test_dark_lungs_are_brightened_to_a_geometric_mean_and_bright_ones_are_not():
    pixels = torch.full((4, 1, 512, 512), 250, dtype=torch.uint8)
    for image, tone in zip(pixels, (40, 100, 200, 0), strict=True):
        image[:, 100:400, 100:400] = tone  # 255 e^-1.85, ln 0.6 / ln(100 / 255) = 0.55, above 0.6 anyway, black
    mask = torch.zeros(4, 512, 512, dtype=torch.bool)
    mask[:, 110:390, 110:390] = True
    brightened = Preprocessing(mean=0.4, std=0.2, gamma=0.6, lung_brightness=0.6)
    x = network_input(pixels, brightened, 512, mask)
    inside = (x * 0.2 + 0.4)[:, 0, 200, 200]
    torch.testing.assert_close(inside, torch.tensor([0.6, 0.6, (200 / 255) ** 0.6, 0.0]), rtol=0, atol=1e-5)
    assert (x[~mask[:, None]] == 0).all()
    torch.testing.assert_close(network_input(pixels[1:2], brightened, 512, mask[1:2]), x[1:2])  # whatever is beside it
    faded = network_input(pixels, brightened, 512, mask, torch.full((4, 8, 8), 0.5))
    torch.testing.assert_close(faded, x / 2)
    assert torch.isfinite(network_input(pixels, brightened, 512, torch.zeros_like(mask))).all()
    only = Preprocessing(mean=0.4, std=0.2, lung_brightness=0.6)
    assert network_input(pixels, only, 512, mask)[2, 0, 200, 200].item() == pytest.approx((200 / 255 - 0.4) / 0.2, abs=1e-5)
    assert torch.equal(network_input(pixels, brightened, 512), network_input(pixels, PREPROCESSING, 512))


def test_the_mask_is_true_at_the_threshold():
    logits = torch.logit(torch.tensor([0.29, 0.31])).view(1, 1, 1, 2)
    assert lung_mask_of(logits, Preprocessing(mask_threshold=0.3)).tolist() == [[[False, True]]]
    assert lung_mask_of(torch.zeros(1, 1, 1, 1), Preprocessing()).item()
