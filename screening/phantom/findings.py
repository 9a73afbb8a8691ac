"""What is inside the lungs of a synthetic radiograph: vessels, and the opacities of pneumonia and of COVID-19.

An opacity is the share of the lung's air that fluid replaces along the ray, in [0, 1].
Consolidation of one lobe and bilateral peripheral ground glass are the patterns that stage 3 is to tell apart.
"""

import numpy as np

from screening.phantom.anatomy import LEFT, RIGHT, TALL, Anatomy, Grid, lateral_border, medial_border, rise, smooth_noise


def box_blur(image: np.ndarray, radius: int, times: int = 2) -> np.ndarray:
    """Return `image` averaged over squares of 2 `radius` + 1 pixels, `times` times: (rows, columns) float32."""
    for _ in range(times):
        for axis in (0, 1):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (radius, radius)
            padded = np.pad(image, pad, mode="edge")
            size = image.shape[axis]
            parts = [padded[at : at + size] if axis == 0 else padded[:, at : at + size] for at in range(2 * radius + 1)]
            image = sum(parts[1:], parts[0]) * np.float32(1 / len(parts))
    return image


def vessels(rng: np.random.Generator, anatomy: Anatomy, grid: Grid) -> np.ndarray:
    """Return the opacity of the hila and of vessels that branch from them: (rows, columns) float32."""
    x, y, calibre = _branches(rng, anatomy)
    scale = float(grid.x[0, 1] - grid.x[0, 0])
    columns = np.rint((x - grid.x[0, 0]) / scale).astype(int)
    rows = np.rint((y - grid.y[0, 0]) * (TALL / scale)).astype(int)
    height, width = grid.x.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    flat = rows[inside] * width + columns[inside]
    opacity = np.zeros(grid.x.shape, np.float32)
    for low, high, radius in ((0.0, 0.5, 0.004), (0.5, 2.0, 0.012)):
        weight = np.where((calibre >= low) & (calibre < high), calibre, 0)[inside]
        pixels = max(1, round(radius / scale))
        spots = np.bincount(flat, weight, height * width).reshape(grid.x.shape).astype(np.float32)
        opacity += box_blur(spots, pixels) * (radius / scale) * np.float32(0.16)
    return np.minimum(opacity, 0.4) + _hila(anatomy, grid)


def _branches(rng: np.random.Generator, anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points along random walks from both hila, and the calibre of the vessel at each."""
    count, steps = 80, 160
    side = np.where(np.arange(count) % 2 == 0, LEFT, RIGHT)[:, None]
    angle = rng.uniform(-1.25, 1.45, (count, 1)) + np.cumsum(rng.normal(0, 0.05, (count, steps)), 1)
    step = rng.uniform(0.002, 0.0045, (count, 1))
    x = side * (anatomy.mediastinum + 0.05 + np.cumsum(np.cos(angle) * step, 1))
    y = 0.5 + rng.normal(0, 0.04, (count, 1)) + np.cumsum(np.sin(angle) * step / TALL, 1)
    calibre = rng.uniform(0.4, 1.0, (count, 1)) * np.linspace(1.0, 0.15, steps)
    return x.ravel(), y.ravel(), calibre.ravel()


def _hila(anatomy: Anatomy, grid: Grid) -> np.ndarray:
    outward = (np.abs(grid.x) - anatomy.mediastinum - 0.04) / 0.1
    return 0.28 * np.exp(-(outward * outward + ((grid.y - 0.5) / 0.09) ** 2))


def consolidation(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, severity: float) -> np.ndarray:
    """Return one dense, confluent opacity in one lobe, sharp where a fissure bounds it: (rows, columns) float32 in [0, 1]."""
    side = rng.choice((RIGHT, LEFT))
    lobe = rng.choice(("upper", "middle", "lower"), p=(0.3, 0.25, 0.45))
    height = {"upper": rng.uniform(0.22, 0.36), "middle": rng.uniform(0.46, 0.6), "lower": rng.uniform(0.64, 0.8)}[lobe]
    x, y = _place(anatomy, side, rng.uniform(0.35, 0.65), height)
    size = 0.75 + 0.5 * severity
    radius_x, radius_y = rng.uniform(0.2, 0.3) * size, rng.uniform(0.1, 0.16) * size
    tilt = rng.normal(0, 0.35)
    dx, dy = grid.x - np.float32(x), grid.y - np.float32(y)
    along, across = (dx + tilt * dy) / radius_x, (dy - tilt * dx) / radius_y
    border = 1 - np.sqrt(along * along + across * across) + 0.22 * smooth_noise(rng, grid.x.shape, 9)
    opacity = rise(border, 0.2)
    fissure = (dy + rng.normal(0, 0.25) * dx) + radius_y * rng.uniform(0.35, 0.7) * (1 if lobe != "upper" else -1)
    opacity = opacity * rise(fissure if lobe != "upper" else -fissure, 0.02)
    texture = 1 + 0.08 * smooth_noise(rng, grid.x.shape, 40)
    return np.clip((0.45 + 0.45 * severity) * opacity * texture, 0, 0.95)


def ground_glass(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, severity: float) -> np.ndarray:
    """Return several faint fuzzy opacities in both lungs, near the chest wall and the base: (rows, columns) float32 in [0, 1]."""
    opacity = np.zeros_like(grid.x)
    for side in (RIGHT, LEFT):
        for _ in range(rng.integers(2, 5) + round(2 * severity)):
            x, y = _place(anatomy, side, rng.uniform(0.62, 0.98), 0.3 + 0.6 * rng.beta(2.2, 1.6))
            radius_x, radius_y = rng.uniform(0.07, 0.14) * (0.8 + 0.5 * severity), rng.uniform(0.06, 0.13) * (0.8 + 0.5 * severity)
            distance = ((grid.x - np.float32(x)) / radius_x) ** 2 + ((grid.y - np.float32(y)) / radius_y) ** 2
            patch = np.exp(-np.minimum(distance, 30)) * np.float32(rng.uniform(0.7, 1.2))
            opacity += patch * (1 - opacity)
    mottled = 1 + 0.22 * smooth_noise(rng, grid.x.shape, 16) + 0.16 * smooth_noise(rng, grid.x.shape, 60)
    return np.clip((0.24 + 0.3 * severity) * opacity * mottled, 0, 0.7)


def _place(anatomy: Anatomy, side: int, outward: float, downward: float) -> tuple[float, float]:
    """Return (x, y) of a point of one lung: `outward` from the mediastinum, `downward` from the apex, both as shares."""
    y = anatomy.apex + downward * (anatomy.base - anatomy.dome * 0.8 - anatomy.apex)
    inner, outer = medial_border(anatomy, np.float32(y)), lateral_border(anatomy, np.float32(y))
    return float(side * (inner + outward * (outer - inner))), float(y)
