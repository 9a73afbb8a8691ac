"""The run manifest (`runs/<run_id>/manifest.json`): what was asked, with what, and what came of it."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.bundle import DIGEST_LENGTH, OperatingPoint, SitePoints


class RunCounts(BaseModel):
    """Rows, all of them. `objects = already_scored + planned + left_for_later`, and `planned = written` when a run ends well."""

    model_config = ConfigDict(extra="forbid")

    objects: int = Field(0, description="rows of the index: objects found in the archive")
    already_scored: int = Field(0, description="of them, those that earlier runs answered with the same bundle")
    planned: int = Field(0, description="of them, those that this run answers")
    left_for_later: int = Field(0, description="of them, those beyond --limit or the deadline")
    written: int = Field(0, description="rows committed for the plan")
    outcomes: dict[str, int] = Field(default_factory=dict, description="planned rows by outcome")
    reasons: dict[str, int] = Field(default_factory=dict, description="rejected and failed rows by reason")
    pneumonia_positive: int = Field(0, description="scored rows that are positive in stage 2")
    covid_positive: int = Field(0, description="scored rows that are positive in stage 3: the answer of the cascade")


class RunTimes(BaseModel):
    """Seconds of the whole run, and summed over workers."""

    model_config = ConfigDict(extra="forbid")

    wall_seconds: float = Field(0.0, description="from the start of this execution to its end, in seconds")
    index_seconds: float = Field(0.0, description="listing the archive and planning, in seconds")
    decode_seconds: float = Field(0.0, description="reading and decoding, summed over decode tasks, in seconds")
    cascade_seconds: float = Field(0.0, description="in the networks, summed over actors, in seconds")
    write_seconds: float = Field(0.0, description="encoding heatmaps and committing shards, summed over tasks, in seconds")
    images: int = Field(0, description="rows answered by this execution (fewer than planned where it resumed another)")

    @property
    def images_per_second(self) -> float:
        """Rows answered a second of wall time."""
        return self.images / self.wall_seconds if self.wall_seconds else 0.0


class RunManifest(BaseModel):
    """One execution over one archive with one bundle. A run that died is left planning or running, with no `finished`."""

    model_config = ConfigDict(extra="forbid")

    run_id: str
    kind: Literal["run", "redrive"] = "run"
    status: Literal["planning", "running", "finished", "stopped", "failed"] = Field(
        "planning", description="stopped is one that ended at its deadline: what it left is planned anew by the next run"
    )
    archive_url: str
    inventory_url: str | None = Field(None, description="manifest of the S3 Inventory that was read in the place of a listing")
    results_url: str
    bundle_url: str
    bundle_name: str
    bundle_digest: str
    operating_points: dict[str, OperatingPoint] = Field(
        default_factory=dict, description="stage → threshold other than the bundle's own; bundle_digest stands for both together"
    )
    sites: dict[str, SitePoints] = Field(
        default_factory=dict, description="InstitutionName → operating points and calibration of its own, likewise"
    )
    registry_entry: int | None = Field(None, description="entry of the registry that promoted this bundle, when the run was planned")
    promoted_digest: str | None = Field(None, description="of the bundle that was promoted then; null where none was")
    screen_date: date
    configuration: dict[str, Any] = Field(description="the resolved configuration")
    versions: dict[str, str] = Field(default_factory=dict)
    started: datetime
    finished: datetime | None = None
    executions: int = Field(1, description="1, and one more for every time that it was resumed")
    error: str | None = None
    counts: RunCounts = RunCounts()
    times: RunTimes = RunTimes()

    @property
    def not_promoted(self) -> str:
        """Say that another bundle is promoted than the one that judged; empty where that is not so."""
        if self.promoted_digest in (None, self.bundle_digest):
            return ""
        judged, promoted = self.bundle_digest[:DIGEST_LENGTH], (self.promoted_digest or "")[:DIGEST_LENGTH]
        return f"bundle {judged} judges, and the one promoted in the registry is {promoted}"
