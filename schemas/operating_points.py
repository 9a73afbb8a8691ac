"""Operating points in a file of their own, as `screening thresholds --save` writes them and `screening run` reads them."""

from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.bundle import FrozenModel, OperatingPoint, SitePoints


class Evidence(FrozenModel):
    """What the points gave on the units that they were chosen on: k of n with its 95 % Wilson interval."""

    unit: str = Field(description="unit of analysis: instance, study or patient")
    sensitivity_k: float = Field(description="true positives; an estimate where the audit sample decided")
    sensitivity_n: float = Field(description="positives by the reference standard")
    sensitivity_interval: tuple[float, float] | None
    specificity_k: float = Field(description="true negatives; an estimate where the audit sample decided")
    specificity_n: float = Field(description="negatives by the reference standard")
    specificity_interval: tuple[float, float] | None
    basis: str = Field("observed", description="observed, or audit sample")
    prevalence: float | None = Field(None, description="share of cases, in [0, 1], that costs and predictive values were computed for")
    link_rule: str = Field("", description="which test counts for which radiograph, in words")
    others: dict[str, Any] = Field(default_factory=dict, description="the rest of the row that was chosen")


class OperatingPoints(FrozenModel):
    """Thresholds for one bundle, for all images or for those of single sites. A stage or a site that is absent keeps the bundle's own."""

    format_version: Literal[1] = 1
    bundle_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    chosen: date
    points: dict[Literal["pneumonia", "covid"], OperatingPoint] = Field(default_factory=dict)
    evidence: Evidence | None = Field(None, description="of points; null where a shadow run chose them")
    sites: dict[str, SitePoints] = Field(default_factory=dict, description="InstitutionName as in the rows → points of its own")
    site_evidence: dict[str, Evidence] = Field(default_factory=dict, description="of the sites that have points of their own")
    kept: dict[str, str] = Field(default_factory=dict, description="site → why it keeps the bundle's points")

    @model_validator(mode="after")
    def _holds_a_point(self) -> "OperatingPoints":
        if not (self.points or self.sites):
            raise ValueError("it has a point neither for all images nor for a site")
        return self
