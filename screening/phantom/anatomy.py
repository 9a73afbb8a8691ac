"""The chest of a synthetic radiograph: how much air, soft tissue and bone the ray behind each pixel crosses.

Lengths are in chest units: x runs from -1 at the right chest wall (left in the image) to 1 at the left one; y runs down from the
shoulders, one unit to about the height of the lungs. Everything here is smooth enough to be computed on a coarse grid and enlarged.
"""

import math
from dataclasses import dataclass

import numpy as np

RIGHT, LEFT = -1, 1  # of the patient; the patient's right is on the left of the image
TALL = 1.62  # one unit of y over one of x, in pixels


@dataclass(frozen=True)
class Anatomy:
    """What makes one person's chest differ from another's; lengths in chest units."""

    apex: float  # y of the lung tops
    base: float  # y of the costophrenic angles
    width: float  # of a lung's lateral border from the midline
    fullness: float  # exponent of the lateral border: higher is a squarer chest
    dome: float  # height of the diaphragm
    right_raised: float  # by how much the right diaphragm is higher
    mediastinum: float  # half width
    heart_width: float
    heart_height: float
    heart_tilt: float  # radians
    aorta: float  # radius of the aortic knob
    rib_spacing: float
    rib_phase: float
    rib_slope: float
    rib_density: float
    spine_bend: float  # scoliosis
    breast: float  # density of breast shadows
    thickness: float  # of the whole body
    stomach_gas: float


def draw_anatomy(rng: np.random.Generator, sex: str, age_years: float, view: str) -> Anatomy:
    """Return a person's chest. An AP film shows a wider heart and less air, because the detector is behind the back."""
    small = 0.93 if age_years < 16 else 1.0
    antero_posterior = view == "AP"
    return Anatomy(
        apex=rng.uniform(0.05, 0.13),
        base=rng.uniform(0.98, 1.1) * small - 0.07 * antero_posterior,
        width=rng.uniform(0.79, 0.89),
        fullness=rng.uniform(2.2, 3.2),
        dome=rng.uniform(0.11, 0.19),
        right_raised=rng.uniform(0.0, 0.045),
        mediastinum=rng.uniform(0.13, 0.18) * (1.12 if antero_posterior else 1.0),
        heart_width=rng.uniform(0.27, 0.36) * (1.13 if antero_posterior else 1.0),
        heart_height=rng.uniform(0.17, 0.21),
        heart_tilt=rng.uniform(0.35, 0.75),
        aorta=rng.uniform(0.06, 0.1) * (0.8 + age_years / 200),
        rib_spacing=rng.uniform(0.085, 0.1) * small,
        rib_phase=rng.uniform(0, 1),
        rib_slope=rng.uniform(0.14, 0.26),
        rib_density=rng.uniform(0.08, 0.14) * (1.15 - age_years / 250),
        spine_bend=rng.normal(0, 0.02),
        breast=rng.uniform(0.03, 0.11) if sex == "F" and age_years > 14 else 0.0,
        thickness=rng.uniform(0.9, 1.15),
        stomach_gas=max(0.0, rng.uniform(-0.15, 0.25)),
    )


@dataclass(frozen=True)
class Grid:
    """Chest coordinates of the pixels: `x` (rows, columns) and `y` (rows, columns) float32."""

    x: np.ndarray
    y: np.ndarray


def make_grid(rng: np.random.Generator, shape: tuple[int, int]) -> Grid:
    """Return chest coordinates for an image of (rows, columns), with a small error of positioning."""
    rows, columns = shape
    half_width = rng.uniform(0.94, 1.1) * max(1.0, 1.08 * columns / rows)
    tilt, left, middle = rng.normal(0, 0.02), rng.normal(0, 0.03), rng.normal(0.53, 0.03)
    scale = 2 * half_width / columns
    across = ((np.arange(columns) - columns / 2) * scale + left)[None, :].astype(np.float32)
    down = ((np.arange(rows) - rows / 2) * scale / TALL + middle)[:, None].astype(np.float32)
    return Grid(across + np.float32(tilt) * (down - np.float32(0.5)), down - np.float32(tilt) * across)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> np.ndarray:
    """Return a (rows, columns) float32 field of zero mean and unit deviation that changes over 1/`cells` of the longer side."""
    step = max(shape) / cells
    coarse = rng.standard_normal((int(shape[0] / step) + 2, int(shape[1] / step) + 2), dtype=np.float32)
    return enlarge(coarse, shape, step, smooth=True)


def enlarge(coarse: np.ndarray, shape: tuple[int, int], step: float, smooth: bool = False) -> np.ndarray:
    """Return `coarse` at `shape`, one sample every `step` pixels, interpolated linearly, or with flat tops when `smooth`."""
    for axis in (0, 1):
        at = np.minimum(np.arange(shape[axis], dtype=np.float32) / np.float32(step), coarse.shape[axis] - 1.001)
        below = at.astype(np.int32)
        share = at - below.astype(np.float32)
        if smooth:
            share = share * share * (3 - 2 * share)
        share = share[:, None] if axis == 0 else share[None, :]
        low = np.take(coarse, below, axis)
        coarse = low + (np.take(coarse, below + 1, axis) - low) * share
    return coarse


def rise(value: np.ndarray, softness: float) -> np.ndarray:
    """Return 0 below zero, 1 above, with an edge about `softness` wide."""
    share = value * np.float32(0.5 / softness)
    share += np.float32(0.5)
    np.minimum(share, 1, out=share)
    np.maximum(share, 0, out=share)
    edge = share * -2
    edge += 3
    edge *= share
    edge *= share
    return edge


def lateral_border(anatomy: Anatomy, y: np.ndarray) -> np.ndarray:
    """Return the distance from the midline at which the lungs end sideways, at height `y`."""
    t = np.clip((y - anatomy.apex) / (anatomy.base - anatomy.apex), 0, 1)
    above = np.maximum(1 - np.abs(1 - t) ** anatomy.fullness, 0) ** np.float32(0.55)
    return anatomy.width * above * (1 - 0.05 * t * t)


def medial_border(anatomy: Anatomy, y: np.ndarray) -> np.ndarray:
    """Return the distance from the midline at which the lungs begin, the heart not counted."""
    t = np.clip((y - anatomy.apex) / (anatomy.base - anatomy.apex), 0, 1)
    return anatomy.mediastinum * (0.75 + 0.5 * np.abs(t - 0.25))


def lung_depth(anatomy: Anatomy, grid: Grid, side: int) -> np.ndarray:
    """Return how far inside the outline of one lung each pixel lies, negative outside: (rows, columns) float32.

    The part behind the heart and above the diaphragm's dome counts as lung, as annotators draw it.
    """
    outward = side * (grid.x - spine_line(anatomy, grid.y))
    outer, inner = lateral_border(anatomy, grid.y), medial_border(anatomy, grid.y)
    middle = (outward - 0.42) / 0.5
    floor = anatomy.base - anatomy.dome * np.maximum(1 - middle * middle, -0.2) - anatomy.right_raised * (side == RIGHT)
    depth = np.minimum(outer - outward, outward - inner)
    return np.minimum(depth, np.minimum(floor - grid.y, grid.y - anatomy.apex))


def spine_line(anatomy: Anatomy, y: np.ndarray) -> np.ndarray:
    """Return the x of the spine at height `y`."""
    return anatomy.spine_bend * np.sin(3 * y)


def heart(anatomy: Anatomy, grid: Grid) -> np.ndarray:
    """Return the share of the ray that the heart and the aortic knob fill, in [0, 1]: (rows, columns) float32."""
    x = grid.x - 0.15
    y = grid.y - (anatomy.base - 0.25)
    cos, sin = math.cos(anatomy.heart_tilt), math.sin(anatomy.heart_tilt)
    along, across = (x * cos + y * sin) / anatomy.heart_width, (y * cos - x * sin) / anatomy.heart_height
    ventricles = rise(1 - (along * along + across * across), 0.2)
    atrium_x, atrium_y = (grid.x + 0.1) / 0.17, y / 0.15
    atrium = rise(1 - (atrium_x * atrium_x + atrium_y * atrium_y), 0.25)
    knob_x, knob_y = (grid.x - anatomy.mediastinum) / anatomy.aorta, (grid.y - 0.33) / (0.8 * anatomy.aorta)
    knob = rise(1 - (knob_x * knob_x + knob_y * knob_y), 0.3)
    return np.maximum(np.maximum(ventricles, atrium), 0.8 * knob)


def body(anatomy: Anatomy, grid: Grid) -> np.ndarray:
    """Return the thickness of soft tissue, 0 in the air beside the body, about 1 inside: (rows, columns) float32."""
    y = grid.y[:, grid.y.shape[1] // 2]
    half = np.interp(y, [-0.4, -0.1, -0.02, 0.06, 0.16, 0.5, 1.4], [0.34, 0.38, 0.7, 1.08, 1.17, 1.1, 1.12]).astype(np.float32)
    edge = half[:, None] - np.abs(grid.x)
    curved = np.sqrt(np.clip(edge * 2.2, 0, 1))
    flank = np.clip((np.abs(grid.x) - anatomy.width) * 2.2, 0, 0.3) * rise(edge, 0.03)
    abdomen = 0.26 * rise(grid.y - anatomy.base + 0.1, 0.12)
    stomach = rise(1 - ((grid.x - 0.45) / 0.2) ** 2 - ((grid.y - anatomy.base - 0.03) / 0.06) ** 2, 0.5)
    return anatomy.thickness * (0.86 * curved + flank + (abdomen - anatomy.stomach_gas * stomach) * curved)


def bones(anatomy: Anatomy, grid: Grid, view: str) -> np.ndarray:
    """Return the density of spine, ribs, clavicles and shoulder blades: (rows, columns) float32."""
    outward = np.abs(grid.x)
    cage = rise(lateral_border(anatomy, grid.y + 0.05) + 0.06 - outward, 0.02) * rise(anatomy.base + 0.12 - grid.y, 0.1)
    across = outward * np.float32(1 / anatomy.width)
    back = grid.y + 0.07 * np.sin(2.2 * across) - anatomy.rib_slope * across * across * across
    front = grid.y - 0.3 * (1 - across) ** 2 + 0.12 * across
    ribs = _bands(back / anatomy.rib_spacing + anatomy.rib_phase, 0.24)
    ribs += 0.55 * _bands(front / (1.35 * anatomy.rib_spacing) + 0.3 + anatomy.rib_phase, 0.2) * rise(across - 0.35, 0.1)
    return anatomy.rib_density * ribs * cage * rise(outward - 0.1, 0.05) + _spine(anatomy, grid) + _shoulders(anatomy, grid, view)


def _bands(phase: np.ndarray, half_width: float) -> np.ndarray:
    """Return tubes around every whole number of `phase`: dense at the rim, as cortical bone is."""
    away = np.abs(phase - np.rint(phase)) * np.float32(1 / half_width)
    return rise(1 - away, 0.12) * (0.7 + 0.45 * np.square(np.square(np.minimum(away, 1))))


def _spine(anatomy: Anatomy, grid: Grid) -> np.ndarray:
    beside = grid.x - spine_line(anatomy, grid.y)
    vertebrae = 1 + 0.12 * np.sin(grid.y * np.float32(2 * np.pi / anatomy.rib_spacing))
    squared = beside * beside
    column = np.exp(squared * squared * np.float32(-(0.085**-4)))
    shadow = np.exp(squared * np.float32(-((1.5 * anatomy.mediastinum) ** -2)))
    windpipe = 0.1 * np.exp(squared * np.float32(-(0.045**-2))) * rise(0.36 - grid.y, 0.06)
    return 0.13 * column * vertebrae + 0.12 * shadow * rise(anatomy.base + 0.05 - grid.y, 0.3) - windpipe


def _shoulders(anatomy: Anatomy, grid: Grid, view: str) -> np.ndarray:
    outward = np.abs(grid.x)
    lift = 0.0 if view == "PA" else 0.05  # shoulders are drawn up when the film is behind the back
    clavicle = grid.y - (0.12 - lift) + 0.1 * outward - 0.045 * np.sin(5 * outward)
    density = 0.16 * _bands(np.clip(clavicle / 0.06, -0.5, 0.5), 0.34) * rise(outward - 0.1, 0.03) * rise(0.95 - outward, 0.05)
    inward = 0.82 if view == "PA" else 0.7  # the blades lie over the lungs in AP
    blade = rise(outward - inward - 0.25 * np.clip(grid.y - 0.2, -1, 1), 0.04) * rise(0.62 - grid.y, 0.08) * rise(grid.y - 0.08, 0.06)
    joint = rise(0.16 - np.hypot(outward - 1.06, TALL * (grid.y - 0.11)), 0.03)
    return density + 0.07 * blade + 0.18 * joint


def breasts(anatomy: Anatomy, grid: Grid) -> np.ndarray:
    """Return the density of breast shadows: (rows, columns) float32."""
    if not anatomy.breast:
        return np.zeros_like(grid.x)
    outward = np.abs(grid.x) - 0.52
    return anatomy.breast * rise(1 - ((outward / 0.36) ** 2 + ((grid.y - 0.72) / 0.17) ** 2), 0.35)
