"""The hospitals of synthetic radiographs: their machines and habits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """A hospital: its machine, and the habits that a network could learn instead of the disease."""

    name: str
    vendor: str
    model: str
    gamma: float  # of the film's tone
    noise: float  # deviation at half exposure, as a share of the range
    border_share: float  # of films with a collimation border
    white_border: bool
    portable_share: float  # of films taken at the bedside
    letter_height: float  # as a share of the image's height


SITES = (
    Site("Northgate General Hospital", "Aldwych Imaging", "AX-300", 1.0, 0.012, 0.2, False, 0.25, 0.035),
    Site("Saint Brannoc Infirmary", "Borealis Medical", "Lumen DR", 0.85, 0.018, 0.5, False, 0.4, 0.05),
    Site("Harbour District Hospital", "Cygnet X-Ray", "CX Compact", 1.15, 0.015, 0.3, True, 0.3, 0.04),
    Site("Lakeside Medical Centre", "Aldwych Imaging", "AX-500", 0.95, 0.01, 0.1, False, 0.2, 0.03),
    Site("Mobile Unit Seven", "Dunmore Radiography", "Rover", 1.05, 0.024, 0.6, False, 0.8, 0.045),
)
