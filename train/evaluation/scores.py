"""A bundle's answers for the images of a split, from the networks that screen, under three ways to show them the image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

import numpy as np
import ray.data
import torch
import torch.nn.functional as F
from scipy import ndimage

from schemas.bundle import BundleManifest
from schemas.progress import OnProgress, counter, unwatched
from screening.bundle.checks import load_manifest
from screening.cascade.cascade import Cascade
from screening.cascade.heatmap import resize_maps
from screening.cascade.result import CascadeResult, Judgement, judgement_of
from screening.metrics import auroc
from train.data.images import ImageCache, masks_of, pixels_of
from train.data.inputs import cascade_at, on_cascade_workers
from train.data.manifest import GROUPS
from train.stages import STAGES, dice

CARRIED = ("image_id", "patient_id", "label", "finding", "source", "view")


class Shown(StrEnum):
    """What stages 2 and 3 are shown of an image. Erased pixels are set to the mean, as the cascade does outside the lungs."""

    LUNGS = "lungs_only"  # the cascade as it screens
    WHOLE = "whole_image"  # without the lung mask, the paper's Table 3
    OUTSIDE = "lungs_erased"  # the complement of the lung mask: the outline of the lungs stays visible, their inside does not


@dataclass(frozen=True)
class Scores:
    """A bundle's answers for N images, every one through all stages as in an audit, in the order of the manifest.

    `image_id`, `patient_id`, `label`, `finding`, `source` and `view` (N,) str; `lungs_found` (N,) bool; `pneumonia_logit` and
    `covid_logit` (N,) float32, NaN where no lungs were found; `dice` (N,) and `missed` (N,) float in [0, 1], NaN where the image has no
    mask to compare with.
    `missed` is the largest piece of the lungs, as a share of them, that the mask leaves out.
    `bundle` brings the calibration and the operating points that make probabilities and calls of the logits.
    """

    bundle: BundleManifest
    image_id: np.ndarray
    patient_id: np.ndarray
    label: np.ndarray
    finding: np.ndarray
    source: np.ndarray
    view: np.ndarray
    lungs_found: np.ndarray
    pneumonia_logit: np.ndarray
    covid_logit: np.ndarray
    dice: np.ndarray
    missed: np.ndarray

    def judged(self, stage: str) -> Judgement:
        """Return scores, probabilities and calls of stage "pneumonia" or "covid", as the cascade makes them."""
        threshold = self.bundle.operating_points[stage].threshold
        return judgement_of(getattr(self, f"{stage}_logit"), threshold, self.bundle.calibration.get(stage))

    def value(self, stage: str) -> np.ndarray:
        """Return the probability, or the score where the stage is not calibrated, (N,) in [0, 1].

        0 where no lungs were found: such an image is refused, so that it is never called positive.
        """
        judged = self.judged(stage)
        return np.nan_to_num(judged.probability if stage in self.bundle.calibration else judged.score, nan=0.0)

    def in_stage(self, stage: str) -> np.ndarray:
        """Return (N,) bool: the images that a stage is there to tell apart, lungs found or not."""
        return np.isin(self.label, STAGES[stage].groups)

    def of_stage(self, stage: str) -> tuple[np.ndarray, np.ndarray]:
        """Return labels (M,) bool and values (M,) of the images that a stage is there to tell apart."""
        chosen = self.in_stage(stage)
        return np.isin(self.label[chosen], list(STAGES[stage].positive)), self.value(stage)[chosen]

    def take(self, rows: np.ndarray) -> "Scores":
        """Return some of the images: `rows` is (N,) bool, or indices."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name != "bundle"})

    def labelled(self) -> "Scores":
        """Return the images that have a label: those that are there for their lung mask alone say nothing of stages 2 and 3."""
        return self.take(np.isin(self.label, GROUPS))

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
            labels, values = self.of_stage(stage)
            both = 0 < labels.sum() < labels.size
            figures[f"{stage}_auroc"] = float(auroc(labels, values)) if both else None
            figures[f"{stage}_positive"], figures[f"{stage}_negative"] = int(labels.sum()), int((~labels).sum())
        return figures


@dataclass(frozen=True)
class Traces:
    """What the networks do with N images beyond their answers, NaN where no lungs were found.

    `features` (N, C) float32: what the head of stage 3 sees. `lung_area` (N,): share of the image inside the lung mask.
    `pneumonia_energy` and `covid_energy` (N,): share of a heatmap's sum that lies inside the lung mask, NaN for a map of zeros.
    """

    features: np.ndarray
    lung_area: np.ndarray
    pneumonia_energy: np.ndarray
    covid_energy: np.ndarray


def score_images(bundle_url: str, images: ImageCache, split: str, *, use_gpu: bool = False, on_progress: OnProgress = unwatched) -> Scores:
    """Run the cascade of a bundle over one split of a decoded data set. Every image goes through stage 3, as in an audit."""
    scores, _ = score_shown(bundle_url, images, split, (Shown.LUNGS,), use_gpu=use_gpu, on_progress=on_progress)
    return scores[Shown.LUNGS]


def score_shown(
    bundle_url: str,
    images: ImageCache,
    split: str,
    shown: Sequence[Shown],
    *,
    traced: bool = False,
    use_gpu: bool = False,
    on_progress: OnProgress = unwatched,
) -> tuple[dict[Shown, Scores], Traces | None]:
    """Return what `score_images` does for each way to show the images, and with `traced` what else the networks do with them.

    Stage 1 always sees the whole image, and finds the same lungs.
    """
    options = {"bundle": (bundle_url, use_gpu), "shown": tuple(shown), "traced": traced}
    judged = images.dataset([split]).map_batches(score_rows, fn_kwargs=options, **on_cascade_workers(1, use_gpu))
    columns = collected(judged, counter(on_progress, "judging images", images.size(split)))
    manifest = load_manifest(bundle_url)
    shared = {name: columns[name] for name in (*CARRIED, "lungs_found", "dice", "missed")}
    found = {
        each: Scores(manifest, **shared, **{f"{stage}_logit": columns[f"{each}.{stage}_logit"] for stage in ("pneumonia", "covid")})
        for each in shown
    }
    return found, Traces(**{field.name: columns[field.name] for field in fields(Traces)}) if traced else None


def collected(dataset: ray.data.Dataset, count: Callable[[int], None] = lambda rows: None) -> dict[str, np.ndarray]:
    """Return every column of a Ray Data set whose rows are small. `count` is told how many more rows are there."""
    blocks = []
    for block in dataset.iter_batches(batch_size=None, batch_format="numpy"):
        blocks.append(block)
        count(len(next(iter(block.values()))))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def score_rows(
    rows: dict[str, np.ndarray], *, bundle: tuple[str, bool], shown: Sequence[Shown], traced: bool = False
) -> dict[str, np.ndarray]:
    """Turn decoded rows into columns of `Scores` and `Traces`. `bundle` is its URL and whether it runs on a GPU."""
    cascade = cascade_at(*bundle)
    pixels, truth = pixels_of(rows), masks_of(rows)
    result = cascade(pixels, audit=np.ones(len(pixels), bool), guided=False)
    mask = torch.from_numpy(result.lung_mask)[:, None].to(torch.uint8)
    found = F.interpolate(mask, truth.shape[2:], mode="nearest-exact").numpy()
    columns = {name: rows[name].astype(str) for name in CARRIED}
    columns |= {"lungs_found": result.lungs_found, "dice": np.where(rows["has_mask"], dice(truth > 0, found > 0), np.nan)}
    pairs = zip(truth[:, 0] > 0, found[:, 0] > 0, rows["has_mask"], strict=True)
    columns["missed"] = np.array([largest_missed(lungs, mask) if known else np.nan for lungs, mask, known in pairs])
    with torch.inference_mode():
        for each in shown:
            columns |= {f"{each}.{stage}_logit": logit for stage, logit in _logits(cascade, pixels, result, each).items()}
        return columns | (_traces(cascade, pixels, result) if traced else {})


def largest_missed(lungs: np.ndarray, mask: np.ndarray) -> float:
    """Return the largest connected piece of the lungs that a mask leaves out, as a share of the lungs; both (h, w) bool."""
    pieces, count = ndimage.label(lungs & ~mask)
    return float(np.bincount(pieces.ravel())[1:].max() / lungs.sum()) if count else 0.0


def _logits(cascade: Cascade, pixels: np.ndarray, result: CascadeResult, shown: Shown) -> dict[str, np.ndarray]:
    """Return the logits of stages 2 and 3, (B,) float32. H² is of the image as shown, so that nothing erased comes back through it."""
    if shown is Shown.LUNGS:
        return {"pneumonia": result.pneumonia_logit, "covid": result.covid_logit}
    lungs = torch.from_numpy(result.lung_mask).to(cascade.device)
    kept = torch.ones_like(lungs) if shown is Shown.WHOLE else ~lungs
    images, held = np.flatnonzero(result.lungs_found), cascade.hold(pixels)
    pneumonia, h2 = cascade.judge("pneumonia", held, kept, images)
    covid, _ = cascade.judge("covid", held, kept, images, h2)
    return {"pneumonia": pneumonia.logit, "covid": covid.logit}


def _traces(cascade: Cascade, pixels: np.ndarray, result: CascadeResult) -> dict[str, np.ndarray]:
    """Return the columns of `Traces`."""
    images = np.flatnonzero(result.lungs_found)
    masks, h2 = (torch.from_numpy(each).to(cascade.device) for each in (result.lung_mask, result.pneumonia_heatmap))
    seen = cascade.pooled_features("covid", cascade.hold(pixels), masks, images, h2)
    features = np.full((len(pixels), seen.shape[1]), np.nan, np.float32)
    features[images] = seen
    return {
        "features": features,
        "lung_area": np.where(result.lungs_found, result.lung_area_fraction, np.nan),
        "pneumonia_energy": energy_inside(result.pneumonia_heatmap, result.lung_mask),
        "covid_energy": energy_inside(result.covid_heatmap, result.lung_mask),
    }


def energy_inside(heatmaps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the share of each heatmap's sum inside its mask, (B,) in [0, 1]; NaN for a map of zeros or NaN.

    heatmaps: (B, h, w), at least 0, resized bilinearly to the masks, (B, m, m) bool, as they are for the next stage and for people.
    """
    full = resize_maps(torch.from_numpy(heatmaps).double(), masks.shape[-1])[:, 0].numpy()
    total = full.sum(axis=(1, 2))
    return (full * masks).sum(axis=(1, 2)) / np.where(total > 0, total, np.nan)
