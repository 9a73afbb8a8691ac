"""The record of a shadow run (`shadow/<shadow_id>/record.json`): a candidate beside the bundle that judges, on the same radiographs."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.bundle import FrozenModel

Stage = Literal["pneumonia", "covid"]


class Difference(FrozenModel):
    """A figure of the candidate less that of the current bundle on the same units, with its 95 % interval."""

    candidate: float
    current: float
    difference: float
    low: float | None
    high: float | None
    p: float | None = Field(None, description="two-sided, of no difference: McNemar's exact test of shares, DeLong's of areas")
    n: int


class StageComparison(FrozenModel):
    """What two bundles call positive in one stage, radiograph by radiograph; covid is the answer of the whole cascade."""

    both: int
    candidate_only: int
    current_only: int
    neither: int
    agreement: float = Field(description="share of the radiographs that both call alike, in [0, 1]")
    kappa: float | None = Field(description="Cohen's; null where both use one answer only")
    positive_rate: Difference = Field(description="share called positive, with Newcombe's paired interval")
    logit_shift: float | None = Field(description="mean of candidate less current where both have a logit; null where none has")
    logit_pairs: int = Field(description="radiographs with a logit of both")


class ShadowRecord(FrozenModel):
    """What a shadow run found. Figures without a reference standard are of radiographs, those with one of persons."""

    shadow_id: str
    made: datetime
    candidate_digest: str
    candidate_name: str
    current_digest: str
    drawn: int = Field(description="radiographs drawn among those that the current bundle scored")
    compared: int = Field(description="of them, those that the candidate scored, too")
    seed: int
    reference: str | None = Field(
        description="reference table; then radiographs of persons with a definite result are drawn, and no others"
    )
    stages: dict[Stage, StageComparison]
    sensitivity: Difference | None = Field(None, description="of the cascade, by person")
    specificity: Difference | None = Field(None, description="of the cascade, by person")
    auroc: Difference | None = Field(None, description="of the cascade, by person, with DeLong's paired interval")
    matched: Literal["positive rate", "sensitivity"] = Field(description="what is equal at the thresholds below")
    thresholds: dict[Stage, float] = Field(
        description="at which the candidate matches the current bundle on this sample; a stage is absent where the current one calls nobody"
    )
