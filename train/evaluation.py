"""How well a bundle does on a split, measured through the very cascade that screens."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F

from screening.bundle import load_manifest
from screening.errors import UsageError
from screening.metrics import auroc
from train.images import ImageCache, cached, masks_of, pixels_of
from train.inputs import cascade_at, on_cascade_workers
from train.manifest import read_manifest
from train.session import training_session
from train.stages import STAGES, dice

_SCORED = ("label", "lungs_found", "pneumonia_score", "covid_score", "dice")


@dataclass(frozen=True)
class Scores:
    """A bundle's answers for N images, every one through all stages, in the order of the manifest.

    `label` (N,) str; `lungs_found` (N,) bool; `pneumonia_score` and `covid_score` (N,) float in [0, 1]; `dice` (N,) float in [0, 1],
    NaN where the image has no mask to compare with.
    """

    label: np.ndarray
    lungs_found: np.ndarray
    pneumonia_score: np.ndarray
    covid_score: np.ndarray
    dice: np.ndarray

    def of_stage(self, stage: str) -> tuple[np.ndarray, np.ndarray]:
        """Return labels (M,) bool and scores (M,) of the images that a stage is there to tell apart, lungs found or not."""
        task = STAGES[stage]
        chosen = np.isin(self.label, task.groups)
        return np.isin(self.label[chosen], list(task.positive)), getattr(self, f"{stage}_score")[chosen]

    def summary(self) -> dict[str, Any]:
        """Return n, mean Dice with its n, and the AUROC of stages 2 and 3; null where there is nothing to compute it from."""
        compared = self.dice[~np.isnan(self.dice)]
        figures: dict[str, Any] = {
            "images": int(self.label.size),
            "lungs_not_found": int((~self.lungs_found).sum()),
            "lungs_dice": float(compared.mean()) if compared.size else None,
            "lungs_dice_images": int(compared.size),
        }
        for stage in ("pneumonia", "covid"):
            labels, scores = self.of_stage(stage)
            both = 0 < labels.sum() < labels.size
            figures[f"{stage}_auroc"] = float(auroc(labels, scores)) if both else None
            figures[f"{stage}_positive"], figures[f"{stage}_negative"] = int(labels.sum()), int((~labels).sum())
        return figures


def evaluate_split(
    bundle_url: str, manifest_url: str, split: str = "test", *, use_gpu: bool = False, storage_url: str | None = None
) -> dict[str, Any]:
    """Return how well a bundle does on one split of a manifest: `Scores.summary`, the split, and what the gate refused by reason.

    Raises BundleError, TrainingError for a manifest that cannot be read, and UsageError for a split without images.
    """
    preprocessing = load_manifest(bundle_url).preprocessing
    manifest = read_manifest(manifest_url)
    manifest = dataclasses.replace(manifest, table=manifest.table.filter(pl.col("split") == split))
    if manifest.table.is_empty():
        raise UsageError(f"{manifest_url} has no image in split {split!r}")
    with training_session(storage_url) as folder_url:
        images = cached(manifest, f"{folder_url}/{split}", preprocessing, decoders=2)
        return {"split": split, "refused": images.refused} | score_images(bundle_url, images, split, use_gpu=use_gpu).summary()


def score_images(bundle_url: str, images: ImageCache, split: str, *, use_gpu: bool = False) -> Scores:
    """Run the cascade of a bundle over one split of a decoded data set. Every image goes through stage 3, as in an audit."""
    scored = images.dataset([split]).map_batches(score_rows, fn_kwargs={"bundle": (bundle_url, use_gpu)}, **on_cascade_workers(1, use_gpu))
    blocks = list(scored.iter_batches(batch_size=None, batch_format="numpy"))
    return Scores(**{name: np.concatenate([block[name] for block in blocks]) for name in _SCORED})


def score_rows(rows: dict[str, np.ndarray], *, bundle: tuple[str, bool]) -> dict[str, np.ndarray]:
    """Turn decoded rows into rows of `Scores`. `bundle` is its URL and whether it runs on a GPU."""
    pixels, truth = pixels_of(rows), masks_of(rows)
    result = cascade_at(*bundle)(pixels, audit=np.ones(len(pixels), bool), guided=False)
    mask = torch.from_numpy(result.lung_mask)[:, None].to(torch.uint8)
    found = F.interpolate(mask, truth.shape[2:], mode="nearest-exact").numpy()
    return {
        "label": rows["label"],
        "lungs_found": result.lungs_found,
        "pneumonia_score": _refused_is_zero(result.pneumonia_score),
        "covid_score": _refused_is_zero(result.covid_score),
        "dice": np.where(rows["has_mask"], dice(truth > 0, found > 0), np.nan),
    }


def _refused_is_zero(score: np.ndarray) -> np.ndarray:
    """Return scores (B,) with 0 where the cascade gave none: an image without lungs is refused, so that it is never called positive."""
    return np.nan_to_num(score, nan=0.0)
