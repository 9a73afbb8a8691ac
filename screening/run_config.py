"""What a run can be told. The resolved configuration is saved in the run's manifest."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

from screening.errors import UsageError
from screening.ingest_config import IngestConfig


@dataclass(frozen=True)
class RunConfig:
    """One run. The first fields decide what a row holds and so are part of each shard's name; the others only how fast it comes."""

    screen_date: date
    ingest: IngestConfig = field(default_factory=IngestConfig)
    audit_fraction: float = 0.01  # share of the stage-2 negatives that stage 3 judges too, in [0, 1]
    audit_seed: int = 0
    heatmaps: Literal["positive", "all", "none"] = "positive"  # of stage-2 positives and audited rows, of every scored row, of none
    guided: bool = True  # Guided Grad-CAM of stage-3 positives: the only backward pass of a run
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    shard_rows: int = 256  # rows a shard at most: the unit of work and of commit

    limit: int | None = None  # rows to score in this run; the rest is left for later
    actors: int | None = None  # cascade actors; None takes what suits the machine
    gpus_per_actor: float = 0.0  # 0 runs the cascade on the CPU
    batch_size: int | None = None  # images a forward pass; None lets the cascade choose for its device
    decoders: int | None = None  # decode tasks at once; None takes what suits the machine
    decode_seconds: float = 60.0  # an image whose decoding takes longer becomes a failed row
    decode_memory_bytes: int = 4 * 2**30  # of the child process that decodes
    read_threads: int = 8  # objects read ahead by one decode task
    max_failed_fraction: float = 0.5  # more failed rows than this share stop the run: the store is down, not the images

    def __post_init__(self) -> None:
        _check(0 <= self.audit_fraction <= 1, "--audit-fraction is a share in [0, 1]")
        _check(self.actors is None or self.actors >= 1, "--actors is at least 1")
        _check(self.gpus_per_actor >= 0, "--gpus-per-actor is not negative")
        _check(self.batch_size is None or self.batch_size >= 1, "--batch-size is at least 1")
        _check(self.limit is None or self.limit >= 1, "--limit is at least 1")
        _check(1 <= self.shard_rows <= 4096, "--shard-rows is 1 to 4096")
        _check(self.heatmaps in ("positive", "all", "none"), "--heatmaps is positive, all or none")
        _check(self.dtype in ("auto", "bfloat16", "float32"), "--dtype is auto, bfloat16 or float32")
        _check(self.decoders is None or self.decoders >= 1, "--decoders is at least 1")

    def content(self) -> dict[str, Any]:
        """Return what decides the bytes of a row, as plain JSON values."""
        return {
            "screen_date": self.screen_date.isoformat(),
            "ingest": asdict(self.ingest),
            "audit_fraction": self.audit_fraction,
            "audit_seed": self.audit_seed,
            "heatmaps": self.heatmaps,
            "guided": self.guided,
            "dtype": self.dtype,
        }

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON values."""
        return asdict(self) | {"screen_date": self.screen_date.isoformat()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunConfig":
        """Rebuild a configuration from `to_json`."""
        return cls(
            **values | {"screen_date": date.fromisoformat(values["screen_date"]), "ingest": IngestConfig.from_json(values["ingest"])}
        )


def content_digest(config: RunConfig, bundle_digest: str, key_id: str) -> str:
    """Return 64 hex digits over everything but the objects that decides what a row holds."""
    facts = {"bundle": bundle_digest, "pseudonym_key": key_id, **config.content()}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)
