"""The gate before a release: a new bundle must not have forgotten what the old one knew.

Incremental training can trade old performance for new. The candidate and the baseline judge the same images of the old set, and the
candidate must be shown not to lose more than a margin: non-inferiority, so that the burden of proof is the candidate's.
"""

import json
import posixpath
from dataclasses import asdict, dataclass
from typing import Any

from schemas.progress import OnProgress, unwatched, within
from screening.bundle.checks import MANIFEST_FILE, verify
from screening.errors import UsageError
from screening.storage import filesystem_of, join, put_atomic, read_bytes
from train.data.manifest import read_manifest
from train.evaluation.comparison import compared
from train.evaluation.evaluate import decoded_splits, identity
from train.evaluation.intervals import Resampling
from train.evaluation.scores import score_images

RECORD_FILE = "promotion.json"
MARGIN = 0.02


@dataclass(frozen=True)
class Kept:
    """One stage on the old set: mean Dice of stage 1, AUROC of stages 2 and 3, candidate less baseline with its 95 % interval."""

    stage: str
    figure: str
    difference: float
    low: float | None
    high: float | None
    kept: bool  # the interval's lower limit is not below -margin


@dataclass(frozen=True)
class Verdict:
    """What the gate found: `stages` that could be judged on the old set, and the margin they were judged by."""

    candidate: dict[str, str]
    baseline: dict[str, str]
    manifest_sha256: str
    split: str
    images: int
    margin: float
    stages: tuple[Kept, ...]

    @property
    def promoted(self) -> bool:
        """Whether every stage that could be judged was kept."""
        return all(stage.kept for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """Return the fields, and whether the candidate was promoted, as plain JSON values."""
        return asdict(self) | {"promoted": self.promoted}

    def loss(self) -> str:
        """Return in words what was lost, and by how much at most."""
        lost = [stage for stage in self.stages if not stage.kept]
        return "; ".join(
            f"{it.figure} of stage {it.stage} {it.difference:+.3f}"
            + (", too few patients for an interval" if it.low is None else f" (95 % CI {it.low:+.3f} to {it.high:+.3f})")
            for it in lost
        )


def judge(
    candidate_url: str,
    baseline_url: str,
    manifest_url: str,
    *,
    split: str = "test",
    margin: float = MARGIN,
    how: Resampling | None = None,
    use_gpu: bool = False,
    storage_url: str | None = None,
    on_progress: OnProgress = unwatched,
) -> Verdict:
    """Return whether the candidate keeps what the baseline knew of the old set, stage by stage.

    Intervals draw whole patients. A stage without both classes (or without lung masks) in the split is left out. Raises UsageError where no
    stage can be judged, BundleError for a damaged bundle and TrainingError for a manifest that cannot be read.
    """
    how = how or Resampling()
    bundles = [verify(url) for url in (candidate_url, baseline_url)]
    manifest = read_manifest(manifest_url)
    with decoded_splits(manifest, [split], baseline_url, storage_url, on_progress) as decoded:
        [(_, images)] = decoded
        candidate, baseline = (
            score_images(url, images, split, use_gpu=use_gpu, on_progress=within(on_progress, role))
            for role, url in (("candidate", candidate_url), ("baseline", baseline_url))
        )
    on_progress("differences and their intervals", 0, 0)
    stages = kept_stages(compared(candidate, baseline, bundles[1].name, how), margin)
    if not stages:
        raise UsageError(f"{manifest_url}, split {split}: neither lung masks nor two classes of a stage, so that nothing can be judged")
    return Verdict(*map(identity, bundles), manifest.digest, split, int(candidate.label.size), margin, stages)


def kept_stages(comparison: dict[str, Any], margin: float) -> tuple[Kept, ...]:
    """Return the stages of what `train.evaluation.comparison.compared` gives (candidate first), judged by a margin."""

    def kept(stage: str, figure: str, difference: float, low: float | None, high: float | None) -> Kept:
        return Kept(stage, figure, difference, low, high, low is not None and low >= -margin)

    dice, differences = comparison["dice"], []
    if dice["value"] is not None:
        differences.append(kept("lungs", "Dice", dice["value"], dice["low"], dice["high"]))
    for stage in ("pneumonia", "covid"):
        if (areas := comparison["auroc"][stage]) is not None:
            differences.append(kept(stage, "AUROC", areas["difference"], areas["bootstrap_low"], areas["bootstrap_high"]))
    return tuple(differences)


def release(candidate_url: str, output_url: str, verdict: Verdict) -> None:
    """Copy a bundle byte by byte to another folder, with the verdict as RECORD_FILE, and bundle.json last."""
    filesystem, folder = filesystem_of(candidate_url)
    names = [posixpath.basename(path) for path in filesystem.ls(folder, detail=False) if filesystem.isfile(path)]
    for name in names:
        if name not in (MANIFEST_FILE, RECORD_FILE):
            put_atomic(join(output_url, name), read_bytes(join(candidate_url, name)))
    put_atomic(join(output_url, RECORD_FILE), json.dumps(verdict.to_json(), indent=2).encode())
    put_atomic(join(output_url, MANIFEST_FILE), read_bytes(join(candidate_url, MANIFEST_FILE)))
