"""Entries of a registry and the record of a shadow run, made without any bundle."""

from datetime import UTC, datetime

from schemas.bundle import OperatingPoint
from schemas.registry import Action, RegistryEntry
from schemas.shadow import Difference, ShadowRecord, StageComparison

POINT = OperatingPoint(threshold=0.5, rule="r", data="d")
RATE = Difference(candidate=0.3, current=0.2, difference=0.1, low=0.05, high=0.15, p=0.01, n=100)
STAGE = StageComparison(
    both=20, candidate_only=10, current_only=0, neither=70, agreement=0.9, kappa=0.74, positive_rate=RATE, logit_shift=0.2, logit_pairs=100
)
RECORD = ShadowRecord(
    shadow_id="s", made=datetime(2020, 3, 1, tzinfo=UTC), candidate_digest="b" * 64, candidate_name="b", current_digest="a" * 64, drawn=100,
    compared=100, seed=0, reference=None, stages={"pneumonia": STAGE, "covid": STAGE}, matched="positive rate", thresholds={"covid": 0.4},
)  # fmt: skip


def entry(action: Action, digit: str, who: str = "ann") -> RegistryEntry:
    """Return an entry about the bundle whose digest is one digit repeated."""
    return RegistryEntry(
        number=1, action=action, bundle_digest=digit * 64, bundle_name=f"bundle {digit}", bundle_url=f"/bundles/{digit}",
        operating_points={"pneumonia": POINT, "covid": POINT}, who=who, when=datetime(2020, 3, 1, tzinfo=UTC), why="because",
    )  # fmt: skip
