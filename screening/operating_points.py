"""Operating points in a file of their own: thresholds chosen after training, on an agency's own people, for one bundle and no other.

A new bundle has other scores: the best threshold of one product moved from 40 to 47 to 20 over three versions at the same AUROC. So the
file holds the digest of its bundle, and `check` refuses any other.
"""

from datetime import date
from typing import Any, Literal

from pydantic import Field, ValidationError

from schemas.bundle import Frozen, OperatingPoint
from screening.errors import UsageError
from screening.layout import DIGEST_LENGTH
from screening.storage import put_atomic, read_bytes


class Evidence(Frozen):
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


class OperatingPoints(Frozen):
    """Thresholds for one bundle. A stage that is absent keeps the bundle's own."""

    format_version: Literal[1] = 1
    bundle_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    chosen: date
    points: dict[Literal["pneumonia", "covid"], OperatingPoint] = Field(min_length=1)
    evidence: Evidence


def save(url: str, points: OperatingPoints) -> None:
    """Write the points as JSON, for `screening run --operating-points`."""
    put_atomic(url, points.model_dump_json(indent=2).encode())


def load(url: str) -> OperatingPoints:
    """Return the points of a file. Raises UsageError where there is none, or where it is not one of these."""
    try:
        return OperatingPoints.model_validate_json(read_bytes(url))
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist: `screening thresholds --save` writes one") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise UsageError(f"{url} holds no operating points ({where}: {first['msg']}): `screening thresholds --save` writes them") from None


def check(points: OperatingPoints, bundle_digest: str) -> dict[str, OperatingPoint]:
    """Return stage → operating point for the bundle with this digest (64 hex digits); raises UsageError for any other bundle."""
    if points.bundle_digest != bundle_digest:
        ours, theirs = points.bundle_digest[:DIGEST_LENGTH], bundle_digest[:DIGEST_LENGTH]
        raise UsageError(f"these operating points are for bundle {ours}, not {theirs}: scores of two bundles differ, so choose them anew")
    return dict(points.points)
