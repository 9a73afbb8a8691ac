"""Scores as a bundle would give them, without a bundle."""

from typing import Any

import numpy as np

from schemas.bundle import BundleManifest, Calibration, OperatingPoint
from train.evaluation.scores import Scores


def bundle(
    pneumonia: float = 0.5, covid: float = 0.5, calibration: dict[str, Calibration] | None = None, name: str = "made"
) -> BundleManifest:
    """A manifest with these thresholds; the networks do not matter."""
    points = {"pneumonia": pneumonia, "covid": covid}
    return BundleManifest(
        name=name,
        networks={},
        operating_points={stage: OperatingPoint(threshold=value, rule="youden", data="made") for stage, value in points.items()},
        calibration=calibration or {},
    )


def scores(n: int = 90, seed: int = 0, strength: float = 2.0, **changed: Any) -> Scores:
    """Answers for n images of n / 2 patients; the logits of the ill are higher by `strength`."""
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.choice(["normal", "pneumonia", "covid"], n // 2), 2)
    found = rng.random(n) < 0.95
    columns: dict[str, Any] = {
        "bundle": bundle(),
        "image_id": np.array([f"i{i}" for i in range(n)]),
        "patient_id": np.array([f"p{i // 2}" for i in range(n)]),
        "label": label,
        "finding": label,
        "source": np.where(np.arange(n) % 4 < 2, "here", "there"),
        "view": np.where(np.arange(n) < 8, "PA", ""),
        "lungs_found": found,
        "pneumonia_logit": np.where(found, rng.normal(strength * ((label != "normal") - 0.5), 1), np.nan).astype(np.float32),
        "covid_logit": np.where(found, rng.normal(strength * ((label == "covid") - 0.5), 1), np.nan).astype(np.float32),
        "dice": np.where(np.arange(n) < n // 3, rng.uniform(0.8, 1, n), np.nan),
        "missed": np.where(np.arange(n) < n // 3, rng.uniform(0, 0.2, n), np.nan),
    }
    return Scores(**(columns | changed))
