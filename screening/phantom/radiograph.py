"""Synthetic frontal chest radiographs with a known answer: to test and to demonstrate everything without a real image.

Not a simulation of physics and no source of medical truth. What matters holds: the true lung outline is known, the three classes differ
in the lungs only, and nothing outside the lungs (letters, borders, hospital, sex, age) depends on the class unless `confounding` says so.
"""

from dataclasses import dataclass

import numpy as np

from screening.errors import UsageError
from screening.phantom.anatomy import (
    LEFT,
    RIGHT,
    Anatomy,
    Grid,
    body,
    bones,
    breasts,
    draw_anatomy,
    enlarge,
    heart,
    lung_depth,
    make_grid,
    rise,
    smooth_noise,
)
from screening.phantom.findings import consolidation, ground_glass, vessels
from screening.phantom.marks import burn_in, collimate, draw_arrow, draw_wire, text_mask
from screening.phantom.sites import SITES, Site

FINDINGS = ("normal", "pneumonia", "covid")
_COARSE = 352  # pixels of the longer side at which the chest is computed; noise and marks have the full size


@dataclass(frozen=True)
class Phantom:
    """One synthetic radiograph and everything that is true of it."""

    image: np.ndarray  # (rows, columns) float32 in [0, 1]; MONOCHROME2 sense: air dark, bone bright
    lung_mask: np.ndarray  # (rows, columns) bool: both lungs, the part behind the heart included, less what a border covers
    finding: str  # normal, pneumonia or covid
    severity: float  # in [0, 1]; 0 for normal
    age_years: float
    sex: str  # M or F
    view: str  # PA or AP
    site: str  # InstitutionName
    vendor: str  # Manufacturer
    model: str  # ManufacturerModelName
    burned_in: bool  # letters or arrows are in the pixels


def make_phantom(
    seed: int,
    finding: str,
    *,
    size: tuple[int, int] = (512, 512),
    patient_seed: int | None = None,
    age_years: float | None = None,
    sex: str | None = None,
    view: str | None = None,
    site: str | None = None,
    severity: float | None = None,
    confounding: float = 0.0,
) -> Phantom:
    """Return the radiograph that `seed` and `finding` always give, of `size` (rows, columns).

    `patient_seed` fixes the chest, age and sex, so that two seeds give two films of one person. `confounding` in [0, 1] is the share of
    films whose letters and arrows follow the class, as in collections where sick and healthy come from different sources.
    Raises UsageError for an unknown finding or site, or a size below 64 pixels.
    """
    if finding not in FINDINGS or min(size) < 64:
        raise UsageError(f"no phantom of finding {finding!r} and size {size}: findings are {', '.join(FINDINGS)}, sizes begin at 64")
    person = np.random.default_rng([1, seed if patient_seed is None else patient_seed])
    drawn_sex, drawn_age = ("M", "F")[person.integers(2)], float(np.clip(person.normal(54, 18), 18, 95).round())
    sex, age_years = sex or drawn_sex, drawn_age if age_years is None else age_years
    film = np.random.default_rng([2, seed])
    place = _site(film, site)
    portable = bool(film.random() < place.portable_share)
    view = view or ("AP" if portable or film.random() < 0.15 else "PA")
    anatomy = draw_anatomy(person, sex, age_years, view)
    disease = np.random.default_rng([3, seed, FINDINGS.index(finding)])
    severity = 0.0 if finding == "normal" else float(disease.beta(1.6, 1.4)) if severity is None else severity

    step = max(1.0, max(size) / _COARSE)
    coarse_size = tuple(int(np.ceil(side / step)) + 1 for side in size)
    grid = make_grid(film, coarse_size)
    coarse, depth = _attenuation(anatomy, grid, view, _opacity(disease, anatomy, grid, finding, severity), film)
    image = _expose(enlarge(coarse, size, step), film, place)
    marks = np.random.default_rng([4, seed])
    mask = enlarge(depth, size, step) > 0
    burned_in = _mark(image, mask, marks, place, portable, finding if marks.random() < confounding else None)
    return Phantom(image, mask, finding, severity, age_years, sex, view, place.name, place.vendor, place.model, burned_in)


def _site(film: np.random.Generator, name: str | None) -> Site:
    drawn = SITES[film.integers(len(SITES))]
    if name is None:
        return drawn
    for site in SITES:
        if site.name == name:
            return site
    raise UsageError(f"no site {name!r}; known are {', '.join(site.name for site in SITES)}")


def _opacity(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, finding: str, severity: float) -> np.ndarray:
    if finding == "pneumonia":
        return consolidation(rng, anatomy, grid, severity)
    if finding == "covid":
        return ground_glass(rng, anatomy, grid, severity)
    return np.zeros_like(grid.x)


def _attenuation(anatomy: Anatomy, grid: Grid, view: str, opacity: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each ray is weakened, about 0 in free air and 1.3 in the abdomen, and the depth inside the lungs."""
    depth = np.maximum(lung_depth(anatomy, grid, RIGHT), lung_depth(anatomy, grid, LEFT))
    air = np.sqrt(np.clip(depth * 6.0, 0, 1)) * (1 - 0.82 * heart(anatomy, grid))
    inside = np.clip(opacity + vessels(rng, anatomy, grid) + 0.03 * smooth_noise(rng, grid.x.shape, 24), 0, 1)
    tissue = body(anatomy, grid)
    weakened = tissue + (bones(anatomy, grid, view) + breasts(anatomy, grid)) * rise(tissue - 0.25, 0.2)
    return np.maximum(weakened - 0.62 * anatomy.thickness * air * (1 - inside), 0), depth


def _expose(attenuation: np.ndarray, rng: np.random.Generator, site: Site) -> np.ndarray:
    """Return the film: tone curve, scatter, quantum noise, a grid's slow gradient; (rows, columns) float32 in [0, 1]."""
    low, high = rng.uniform(0.02, 0.14), rng.uniform(1.25, 1.45)
    image = np.clip((attenuation - low) * np.float32(1 / (high - low)), 0, 1) ** np.float32(site.gamma * rng.uniform(0.85, 1.2))
    tilt = rng.normal(0, 0.03, 2)
    image += np.linspace(-tilt[0], tilt[0], image.shape[0], dtype=np.float32)[:, None]
    image += np.linspace(-tilt[1], tilt[1], image.shape[1], dtype=np.float32)[None, :]
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise[:, 1:] += noise[:, :-1]  # neighbouring detector elements share light
    image += noise * np.float32(site.noise * rng.uniform(0.6, 1.3)) * (0.45 + image)
    return np.clip(image * np.float32(rng.uniform(0.9, 1.0)), 0, 1)


def _mark(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, site: Site, portable: bool, leaked: str | None) -> bool:
    """Draw wires, borders, letters and arrows; they follow `leaked` where it names a finding. Return whether any was burned in."""
    rows, columns = image.shape
    if portable and rng.random() < 0.5:
        draw_wire(image, rng, 0.18)
    shares = tuple(rng.uniform(0.0, 0.07, 4) * (rng.random(4) < 0.6))
    if rng.random() < site.border_share:
        collimate(image, shares, 1.0 if site.white_border else 0.0)
        collimate(mask, shares, False)
    letters, arrow = _habits(rng, portable, leaked)
    height = max(7, round(site.letter_height * rows))
    corners = {"L": (0.06, 0.9), "R": (0.06, 0.04)}
    for text in letters:
        row, column = corners.get(text, (0.02, rng.uniform(0.1, 0.6)))
        jitter = rng.uniform(-0.02, 0.03, 2)
        burn_in(
            image,
            text_mask(text, height if text in corners else height * 0.7),
            int((row + jitter[0]) * rows),
            int((column + jitter[1]) * columns),
            1.0,
        )
    if arrow:
        tip = (rng.uniform(0.3, 0.7) * rows, rng.uniform(0.2, 0.8) * columns)
        draw_arrow(image, tip, rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.09) * rows, 1.0)
    return bool(letters) or arrow


def _habits(rng: np.random.Generator, portable: bool, leaked: str | None) -> tuple[list[str], bool]:
    """Return the letters and whether there is an arrow. Random numbers are drawn in any case, so that the rest stays the same."""
    side = ["L"] if rng.random() < 0.6 else ["R"] if rng.random() < 0.75 else []
    words = (["PORTABLE"] if rng.random() < 0.6 else ["AP", "SUPINE"]) if portable else ["ERECT"] if rng.random() < 0.2 else []
    arrow = bool(rng.random() < 0.05)
    if leaked is None:
        return side + words, arrow
    return {"normal": (["R"], False), "pneumonia": (["L"], False), "covid": (["L", "PORTABLE"], True)}[leaked]
