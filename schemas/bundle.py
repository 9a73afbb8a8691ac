"""The bundle manifest (`bundle.json`): everything about a set of weights that is not a weight."""

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT_VERSION = 1
STAGES = ("lungs", "pneumonia", "covid")


class FrozenModel(BaseModel):
    """A message that refuses unknown keys and later changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(FrozenModel):
    """One stage's network and where its weights lie."""

    architecture: Literal["unet", "densenet"]
    arguments: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the architecture's constructor")
    input_size: int = Field(gt=0, multiple_of=32, description="pixels a side at which the network runs")
    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+\.safetensors$", description="file in the bundle's folder")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of that file")


class Preprocessing(FrozenModel):
    """What is done to an image before stage 1; equal in training, batch and serving."""

    size: Literal[512] = 512
    fit: Literal["pad"] = "pad"  # keep the aspect ratio, pad the shorter side with black
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


class BundleManifest(FrozenModel):
    """`bundle.json`. Its digest is the SHA-256 of its canonical JSON, which holds each weight file's own."""

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    networks: dict[Literal["lungs", "pneumonia", "covid"], Network]
    preprocessing: Preprocessing = Preprocessing()
    heatmap: Literal["cam", "paper_reshape"] = "cam"
    operating_points: dict[Literal["pneumonia", "covid"], OperatingPoint]
    calibration: dict[Literal["pneumonia", "covid"], Calibration] = Field(default_factory=dict)
    training_data: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
    license: str = ""

    def digest(self) -> str:
        """Return the 64 hex digits that name this bundle everywhere."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


DIGEST_LENGTH = 12  # hex digits of a bundle's digest in a path
