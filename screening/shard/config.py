"""What decides the bytes of a row, beside the object, the bundle and the pseudonym key."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

from screening.errors import check_usage
from screening.ingest.config import IngestConfig


@dataclass(frozen=True)
class RowConfig:
    """Everything that a run can be told and that changes what a row holds. It is part of each shard's name."""

    screen_date: date
    ingest: IngestConfig = field(default_factory=IngestConfig)
    audit_fraction: float = 0.01  # share of the stage-2 negatives that stage 3 judges too, in [0, 1]
    audit_seed: int = 0
    heatmaps: Literal["positive", "all", "none"] = "positive"  # of stage-2 positives and audited rows, of every scored row, of none
    guided: bool = True  # Guided Grad-CAM of stage-3 positives: the only backward pass of a run
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    encrypt_urls: bool = False  # object_url is sealed and object_id keyed: see screening.privacy.UrlSeal

    def __post_init__(self) -> None:
        check_usage(0 <= self.audit_fraction <= 1, "--audit-fraction is a share in [0, 1]")
        check_usage(self.heatmaps in ("positive", "all", "none"), "--heatmaps is positive, all or none")
        check_usage(self.dtype in ("auto", "bfloat16", "float32"), "--dtype is auto, bfloat16 or float32")

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON values."""
        return asdict(self) | {"screen_date": self.screen_date.isoformat()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RowConfig":
        """Rebuild a configuration from `to_json`."""
        read = {"screen_date": date.fromisoformat(values["screen_date"]), "ingest": IngestConfig.from_json(values["ingest"])}
        return cls(**values | read)

    def digest(self, bundle_digest: str, key_id: str) -> str:
        """Return 64 hex digits over everything but the objects that decides what a row holds."""
        facts = {"bundle": bundle_digest, "pseudonym_key": key_id, **self.to_json()}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
