"""The bundle manifest (`bundle.json`): everything about a set of weights that is not a weight."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FORMAT_VERSION = 1
STAGES = ("lungs", "pneumonia", "covid")


class FrozenModel(BaseModel):
    """A message that refuses unknown keys and later changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(FrozenModel):
    """One stage's network and where its weights lie."""

    architecture: Literal["unet", "densenet", "efficientnet_lite"]
    arguments: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the architecture's constructor")
    input_size: int = Field(gt=0, multiple_of=32, description="pixels a side at which the network runs")
    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+\.safetensors$", description="file in the bundle's folder")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of that file")


class Preprocessing(FrozenModel):
    """What is done to an image before the networks see it; equal in training, batch and serving."""

    size: Literal[512] = 512
    fit: Literal["pad"] = "pad"  # keep the aspect ratio, pad the shorter side with black
    gamma: float = Field(
        1.0,
        gt=0,
        exclude_if=lambda gamma: gamma == 1,  # bundles keep the digest that they had before there was any
        description="power of the pixels in [0, 1] before stages 2 and 3: below 1 shows the lungs brighter, with more contrast",
    )
    lung_brightness: float | None = Field(
        None,
        gt=0,
        lt=1,
        exclude_if=lambda brightness: brightness is None,
        description="geometric mean inside the lungs that stages 2 and 3 see at least: the power of darker ones lies below gamma",
    )
    mean: float = Field(0.5, description="subtracted from pixels in [0, 1] before a network sees them")
    std: float = Field(0.25, gt=0, description="then divided by this")
    mask_threshold: float = Field(0.5, gt=0, lt=1, description="lung where stage 1's score is at or above it")
    min_lung_area_fraction: float = Field(0.04, ge=0, lt=1, description="less lung than this is lungs_not_found")
    max_lung_area_fraction: float = Field(0.75, gt=0, le=1, description="more lung than this is lungs_not_found")
    min_age_years: float = Field(0, ge=0, description="younger patients are rejected")


class OperatingPoint(FrozenModel):
    """A threshold, with the rule that chose it, the data it was chosen on and what it gave there."""

    threshold: float = Field(ge=0, le=1, description="positive at or above this score (or probability, where the stage is calibrated)")
    rule: str
    data: str
    sensitivity: float | None = Field(None, ge=0, le=1)
    specificity: float | None = Field(None, ge=0, le=1)


class Calibration(FrozenModel):
    """Platt scaling: probability = sigmoid(slope * logit + intercept)."""

    slope: float
    intercept: float
    data: str


class SitePoints(FrozenModel):
    """What judges the images of one site in the place of the bundle's own, stage by stage, chosen on that site's people."""

    operating_points: dict[Literal["pneumonia", "covid"], OperatingPoint] = Field(min_length=1)
    calibration: dict[Literal["pneumonia", "covid"], Calibration] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_calibration_has_its_point(self) -> "SitePoints":
        if not self.calibration.keys() <= self.operating_points.keys():
            raise ValueError("a site's own calibration moves its probabilities: give the operating point on them, too")
        return self


class BundleManifest(FrozenModel):
    """`bundle.json`. Its digest is the SHA-256 of its canonical JSON, which holds each weight file's own."""

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    networks: dict[Literal["lungs", "pneumonia", "covid"], Network]
    preprocessing: Preprocessing = Preprocessing()
    heatmap: Literal["cam", "paper_reshape"] = "cam"
    operating_points: dict[Literal["pneumonia", "covid"], OperatingPoint]
    calibration: dict[Literal["pneumonia", "covid"], Calibration] = Field(default_factory=dict)
    sites: dict[str, SitePoints] = Field(default_factory=dict, description="InstitutionName of the rows → what judges that site's images")
    training_data: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
    license: str = ""

    def digest(self) -> str:
        """Return the 64 hex digits that name this bundle everywhere."""
        facts = self.model_dump(mode="json")
        if not self.sites:
            del facts["sites"]  # so that bundles keep the digest that they had before there were any
        canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def judging_at(self, points: Mapping[str, OperatingPoint] | None, sites: Mapping[str, SitePoints] | None = None) -> "BundleManifest":
        """Return this bundle at other operating points than those it was released with, and so with another digest: no silent change."""
        changed = {"operating_points": {**self.operating_points, **(points or {})}, "sites": {**self.sites, **(sites or {})}}
        return self.model_copy(update=changed)

    def point_of(self, stage: str, site: str | None = None) -> OperatingPoint:
        """Return the operating point of a stage that judges the images of a site: its own, else the bundle's."""
        own = self.sites.get(site) if site is not None else None
        return (own and own.operating_points.get(stage)) or self.operating_points[stage]

    def calibration_of(self, stage: str, site: str | None = None) -> Calibration | None:
        """Return the calibration of a stage for the images of a site: its own, else the bundle's; None where there is neither."""
        own = self.sites.get(site) if site is not None else None
        return (own and own.calibration.get(stage)) or self.calibration.get(stage)


class Overrides(FrozenModel):
    """What judges in the place of a bundle's own operating points: other thresholds for all images, and for those of some sites."""

    operating_points: dict[Literal["pneumonia", "covid"], OperatingPoint] = Field(default_factory=dict)
    sites: dict[str, SitePoints] = Field(default_factory=dict, description="InstitutionName → points of its own")

    def applied(self, bundle: BundleManifest) -> BundleManifest:
        """Return the bundle as it judges with these, under another digest where there are any: no silent change."""
        return bundle.judging_at(self.operating_points, self.sites)


DIGEST_LENGTH = 12  # hex digits of a bundle's digest in a path
