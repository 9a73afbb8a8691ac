"""Finds images whose black and white are swapped against what their header says, and swaps them back.

A frontal chest is dark over the lungs and outside the body, bright over mediastinum and abdomen. TEMPLATE holds that as a matched filter.
"""

import numpy as np

from schemas.reasons import Reason
from screening.errors import ImageRefused
from screening.ingest.preprocess import area_shares

# correlation with TEMPLATE: of 1,369 public frontal radiographs 99 % have 0.30 or more, one has less than -0.25
SWAP_BELOW = -0.35  # the negative of a chest
REFUSE_BELOW = -0.30  # looks inverted, but its negative resembles a chest too little to say so

# Ridge-regularised matched filter (S + mean(diag(S)) I)^-1 m of 956 public chest radiographs, each as 16 x 16 means of unit norm around
# zero; S their second moments, m their mean. In thousandths. An average: it shows no person.
TEMPLATE = (
    (-207, -163, -144, -107, -66, -6, -16, 18, 21, -24, -8, -69, -97, -119, -136, -179),
    (-59, -8, -12, -29, -30, -35, -12, 39, 45, -5, -13, -29, -15, -15, -6, 25),
    (-95, -53, -51, -36, -78, -63, 8, 67, 77, 22, -26, -73, -93, -69, -46, -17),
    (-76, -4, 3, -50, -71, -40, -1, 49, 37, -12, -48, -76, -57, -18, -17, -37),
    (-45, 35, 40, -22, -44, -49, -4, 33, 7, -23, -45, -47, -33, 11, -5, -44),
    (-47, 35, 21, -22, -70, -64, -10, 32, 7, -21, -52, -83, -41, 20, 19, -32),
    (-50, 23, -2, -34, -69, -60, -23, 41, 40, -6, -25, -65, -48, -9, 26, -20),
    (-42, -10, -7, -30, -53, -39, -14, 58, 66, 19, -35, -35, -56, -23, 21, 0),
    (-38, -25, -16, -35, -51, -30, -15, 63, 77, 19, -48, -31, -46, -29, -2, -1),
    (-18, -29, 8, -7, -27, 7, 7, 85, 102, 47, -3, -23, -14, -18, -12, -18),
    (-34, -17, -15, -17, -33, -2, 21, 98, 130, 64, 16, -28, -9, -17, -23, -47),
    (-53, -16, -14, -6, 6, 43, 80, 131, 154, 115, 64, 15, -6, -21, -35, -64),
    (-55, -28, -30, 12, 12, 21, 97, 171, 188, 144, 99, 53, 11, -13, -59, -79),
    (-52, -16, -22, 34, 55, 62, 119, 186, 201, 157, 124, 83, 52, 8, -52, -70),
    (-46, 1, 1, 37, 49, 68, 114, 149, 154, 126, 90, 63, 53, 21, -37, -64),
    (7, 68, 33, 46, 52, 68, 98, 105, 95, 92, 70, 48, 65, 36, 15, -45),
)


def chest_likeness(content: np.ndarray) -> float:
    """Return the correlation in [-1, 1] of (h, w) grey values with an average frontal chest; below 0 it looks like the negative of one."""
    side = len(TEMPLATE)
    template = np.array(TEMPLATE, np.float64)
    rows, columns = (area_shares(length, side) for length in content.shape)
    coarse = (rows @ content.astype(np.float32) @ columns.T).astype(np.float64)
    coarse -= coarse.mean()
    norm = np.linalg.norm(coarse) * np.linalg.norm(template - template.mean())
    return float((coarse * (template - template.mean())).sum() / norm) if norm > 0 else 0.0


def upright(content: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return (h, w) uint8 with air dark and bone bright, and whether black and white had to be swapped for it.

    `valid` is false on padding, which stays black. Raises INVERTED where the evidence does not suffice either way.
    """
    likeness = chest_likeness(np.where(valid, content, np.uint8(content[valid].mean())) if not valid.all() else content)
    if likeness > REFUSE_BELOW:
        return content, False
    if likeness > SWAP_BELOW:
        raise ImageRefused(
            Reason.INVERTED, "the image looks inverted, but its negative hardly looks like a chest; check PhotometricInterpretation"
        )
    return np.where(valid, 255 - content, 0).astype(np.uint8), True
