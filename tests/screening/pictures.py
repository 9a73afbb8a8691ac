"""Pictures that are no radiographs, and radiographs in colours, all made by program."""

import numpy as np
from PIL import Image, ImageDraw

from tests.screening import hostile

SIDE = 640


def _field(seed: int) -> np.ndarray:
    """Return a smooth random field in [0, 1]."""
    coarse = np.random.default_rng(seed).random((7, 7)).astype(np.float32)
    smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def landscape(seed: int = 0) -> Image.Image:
    """A blue sky over green hills with a red house, with the grain of a camera."""
    rows = np.linspace(0, 1, SIDE)[:, None, None]
    is_sky = (rows[..., 0] < 0.4 + 0.2 * _field(seed))[..., None]
    light = 0.6 + 0.4 * _field(seed + 1)[..., None]
    picture = np.where(is_sky, np.array([110, 160, 235]) * (0.7 + 0.3 * rows), np.array([70, 130, 50])) * light
    picture[380:520, 250:400] = np.array([180, 60, 50]) * light[380:520, 250:400]
    grain = np.random.default_rng(seed).normal(0, 4, picture.shape)
    return Image.fromarray(np.clip(picture + grain, 0, 255).astype(np.uint8))


def clouds(seed: int = 0) -> Image.Image:
    """Smooth fields of every colour."""
    return Image.fromarray((np.stack([_field(seed + n) for n in range(3)], axis=-1) * 255).astype(np.uint8))


def cartoon(mode: str = "RGB", seed: int = 0, background: int | str = "skyblue") -> Image.Image:
    """A face of flat paint."""
    rng = np.random.default_rng(seed)
    colours = ["gold", "crimson", "seagreen", "white", "black", "orchid"] if mode == "RGB" else [80, 120, 160, 200, 255, 30]
    image = Image.new(mode, (SIDE, SIDE), background)
    draw = ImageDraw.Draw(image)
    draw.ellipse((90, 70, 550, 590), fill=colours[0], outline=colours[4], width=6)
    for colour in colours[1:]:
        x, y = (int(at) for at in rng.integers(120, 420, 2))
        draw.ellipse((x, y, x + 120, y + 90), fill=colour, outline=colours[4], width=4)
    return image


def page() -> Image.Image:
    """A page of text."""
    image = Image.new("L", (900, 1200), 255)
    draw = ImageDraw.Draw(image)
    for y in range(80, 1100, 26):
        draw.text((70, y), "the findings of the examination are as follows " * 2, fill=0, font_size=16)
    return image


def radiograph() -> Image.Image:
    """A synthetic radiograph in grey, as a colour image."""
    return Image.fromarray(hostile.chest(700, 620, 8)).convert("RGB")


def annotated() -> Image.Image:
    """A radiograph with a red letter, a yellow arrow and a blue line of text."""
    image = radiograph()
    draw = ImageDraw.Draw(image)
    draw.text((530, 30), "L", fill="red", font_size=70)
    draw.line((100, 200, 220, 300), fill="yellow", width=8)
    draw.text((20, 660), "erect, 1.8 m, 09:14", fill="blue", font_size=24)
    return image


def tinted(red: float, green: float, blue: float) -> Image.Image:
    """A radiograph on film, photographed: one tint, as strong as the light, with the grain of a camera."""
    grey = np.asarray(radiograph(), float)
    grain = np.random.default_rng(1).normal(0, 3, grey.shape)
    return Image.fromarray(np.clip(grey * [red, green, blue] + grain, 0, 255).astype(np.uint8))


def with_heatmap() -> Image.Image:
    """A radiograph under a rainbow, as programs show where they look."""
    grey, heat = np.asarray(radiograph(), float), np.asarray(Image.fromarray(_field(3)).resize((620, 700)))
    rainbow = np.stack([np.clip(1.5 - abs(4 * heat - at), 0, 1) for at in (3, 2, 1)], axis=-1) * 255
    return Image.fromarray((0.6 * grey + 0.4 * rainbow).astype(np.uint8))
