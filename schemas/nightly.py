"""What a nightly job is told (a TOML file), and the record that it leaves (`nights/<night_id>.json`)."""

from datetime import date, datetime, time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.bundle import FrozenModel

StepName = Literal["run", "redrive", "compact", "retain", "monitor", "report"]
STEPS: tuple[StepName, ...] = ("run", "redrive", "compact", "retain", "monitor", "report")
DONE = ("finished", "stopped", "skipped")  # steps that are not done again


class RunStep(FrozenModel):
    """The options of `screening run` that a night may have; each means what it means there."""

    limit: int | None = Field(None, ge=1)
    actors: int | None = Field(None, ge=1)
    gpus_per_actor: float = Field(0.0, ge=0)
    batch_size: int | None = Field(None, ge=1)
    decoders: int | None = Field(None, ge=1)
    audit_fraction: float = Field(0.01, ge=0, le=1)
    heatmaps: Literal["positive", "all", "none"] = "positive"
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    shard_rows: int = Field(256, ge=1, le=4096)
    sites: str | None = None
    pseudonymize_uids: bool = False
    encrypt_urls: bool = False


class RedriveStep(FrozenModel):
    """Failed rows, scored once more in the same night."""

    enabled: bool = True
    reasons: tuple[str, ...] = Field((), description="only rows with one of these; empty takes all failed rows")


class CompactStep(FrozenModel):
    """The options of `screening compact`."""

    enabled: bool = True
    target_mb: int = Field(256, ge=1, description="size of a file from which on it is left alone, in MiB")


class RetainStep(FrozenModel):
    """How long things are kept. Rows are kept for ever."""

    heatmaps_after: int | None = Field(None, ge=1, description="days after its night from which on a heatmap is removed; never without it")


class MonitorStep(FrozenModel):
    """The options of `screening monitor`."""

    enabled: bool = True
    limits: dict[str, float] = Field(default_factory=dict, description="max_NAME or min_NAME → value")
    limits_file: str | None = Field(None, description="TOML file as for `screening monitor --limits`")
    baseline: str | None = Field(None, description="FROM:TO, the nights that scores are compared with")
    nights: int = Field(14, ge=1)
    judged_nights: int = Field(1, ge=1)
    min_images: int = Field(30, ge=1)


class ReportStep(FrozenModel):
    """The options of `screening report`."""

    enabled: bool = True
    output: str | None = Field(None, description="file or URL of the page; RESULTS/reports/<night>.html without it")
    title: str = "Screening of chest radiographs: diagnostic accuracy"
    gallery: int = Field(12, ge=0, le=12)


class AlertTo(FrozenModel):
    """Who is told when a night fails, is late, or crosses a limit: a program, a web hook, or both."""

    command: tuple[str, ...] = Field((), description="program and arguments; it gets the message as JSON on stdin")
    url: str | None = Field(None, pattern=r"^https?://", description="the message is posted there as JSON")
    also_good_nights: bool = Field(False, description="tell of every end, so that silence is a failure, too")


class NightlyConfig(FrozenModel):
    """One nightly job."""

    archive: str
    results: str
    bundle: str | None = None
    operating_points: str | None = None
    inventory: str | None = Field(None, description="S3 Inventory to read in the place of a listing, as of `screening run`")
    pseudonym_key: str | None = Field(None, description="file with the key of the pseudonyms")
    reference: str | None = Field(None, description="reference table, for limits of accuracy and the report")
    deadline: time | None = Field(None, description='local time at which scoring stops, e.g. "06:00"; the rest is left for the next night')
    metrics: str | None = Field(None, description="file of Prometheus metrics, for node_exporter's textfile collector")
    run: RunStep = RunStep()
    redrive: RedriveStep = RedriveStep()
    compact: CompactStep = CompactStep()
    retain: RetainStep = RetainStep()
    monitor: MonitorStep = MonitorStep()
    report: ReportStep = ReportStep()
    alert: AlertTo = AlertTo()


class StepRecord(BaseModel):
    """What came of one step."""

    model_config = ConfigDict(extra="forbid")

    name: StepName
    status: Literal["waiting", "running", "finished", "stopped", "skipped", "failed"] = Field(
        "waiting", description="stopped is a run that came to its deadline"
    )
    started: datetime | None = None
    finished: datetime | None = None
    detail: str = Field("", description="in words; of a failure, its error")
    runs: list[str] = Field(default_factory=list, description="run_id of each run that the step carried out")


class NightRecord(BaseModel):
    """One night. A night that died has the status running, and is gone on with when the same night is asked for again."""

    model_config = ConfigDict(extra="forbid")

    night_id: str
    screen_date: date
    status: Literal["running", "finished", "stopped", "failed"] = Field(
        "running", description="stopped is a night that left objects for the next one, at its deadline"
    )
    archive_url: str
    results_url: str
    deadline: datetime | None = None
    started: datetime
    finished: datetime | None = None
    executions: int = Field(1, description="1, and one more for every time that it was gone on with")
    steps: list[StepRecord]
    told: list[str] = Field(default_factory=list, description="what was told to whom `alert` names, in words")

    def step(self, name: StepName) -> StepRecord:
        """Return the record of one step."""
        return next(step for step in self.steps if step.name == name)
