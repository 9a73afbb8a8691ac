"""What is on a radiograph but not of the patient: collimation borders, burned-in letters, arrows, wires."""

import numpy as np

_LETTERS = {
    "A": ".###. #...# #...# ##### #...# #...# #...#",
    "B": "####. #...# #...# ####. #...# #...# ####.",
    "C": ".#### #.... #.... #.... #.... #.... .####",
    "E": "##### #.... #.... ####. #.... #.... #####",
    "I": ".###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.",
    "L": "#.... #.... #.... #.... #.... #.... #####",
    "N": "#...# ##..# ##..# #.#.# #..## #..## #...#",
    "O": ".###. #...# #...# #...# #...# #...# .###.",
    "P": "####. #...# #...# ####. #.... #.... #....",
    "R": "####. #...# #...# ####. #.#.. #..#. #...#",
    "S": ".#### #.... #.... .###. ....# ....# ####.",
    "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "U": "#...# #...# #...# #...# #...# #...# .###.",
}


def text_mask(text: str, height: int) -> np.ndarray:
    """Return `text` as a (rows, columns) bool array about `height` pixels high."""
    scale = max(1, round(height / 7))
    glyphs = []
    for letter in text:
        glyphs += [np.array([[dot == "#" for dot in row] for row in _LETTERS[letter].split()]), np.zeros((7, 1), bool)]
    return np.kron(np.hstack(glyphs[:-1]), np.ones((scale, scale), bool))


def burn_in(image: np.ndarray, mask: np.ndarray, row: int, column: int, value: float) -> None:
    """Set the pixels of `image` under `mask` to `value`, the mask's corner at (row, column), cut at the borders of the image."""
    row, column = min(max(row, 0), image.shape[0] - 1), min(max(column, 0), image.shape[1] - 1)
    part = image[row : row + mask.shape[0], column : column + mask.shape[1]]
    part[mask[: part.shape[0], : part.shape[1]]] = value


def draw_arrow(image: np.ndarray, tip: tuple[float, float], angle: float, length: float, value: float) -> None:
    """Draw an arrow that ends at `tip` (row, column), in pixels, and comes from `angle` radians."""
    reach = int(length) + 2
    top, left = max(int(tip[0]) - reach, 0), max(int(tip[1]) - reach, 0)
    part = image[top : int(tip[0]) + reach, left : int(tip[1]) + reach]
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]]
    dy, dx = rows + top - tip[0], columns + left - tip[1]
    behind = dx * np.cos(angle) + dy * np.sin(angle)
    beside = np.abs(dy * np.cos(angle) - dx * np.sin(angle))
    head = (behind >= 0) & (behind < length * 0.4) & (beside < behind * 0.5)
    shaft = (behind >= length * 0.35) & (behind < length) & (beside < length * 0.07)
    part[head | shaft] = value


def draw_wire(image: np.ndarray, rng: np.random.Generator, density: float) -> None:
    """Lay the lead of a monitor across the chest: a thin bright curve with an electrode at its end."""
    rows, columns = image.shape
    t = np.linspace(0, 1, 2 * rows)
    x = (rng.uniform(0.25, 0.75) + rng.uniform(-0.4, 0.4) * t + 0.06 * np.sin(t * rng.uniform(3, 9))) * columns
    y = (rng.uniform(0.2, 0.5) + t * rng.uniform(0.3, 0.8)) * rows
    keep = (x > 1) & (x < columns - 2) & (y < rows - 2)
    row, column = y[keep].astype(int), x[keep].astype(int)
    for step in range(max(1, rows // 400)):
        np.maximum.at(image, (row, column + step), np.minimum(image[row, column + step] + density, 1))
    radius = max(2, rows // 60)
    if len(row):
        disc = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
        burn_in(image, disc, row[0] - radius, column[0] - radius, min(1.0, float(image[row[0], column[0]]) + density))


def collimate(image: np.ndarray, shares: tuple[float, float, float, float], value: float) -> None:
    """Fill the unexposed borders of an image or mask: `shares` of top, bottom, left and right, in [0, 1), with `value`."""
    rows, columns = image.shape
    top, bottom, left, right = (round(share * size) for share, size in zip(shares, (rows, rows, columns, columns), strict=True))
    image[:top] = image[rows - bottom :] = image[:, :left] = image[:, columns - right :] = value
