"""One night: resume what died, plan what is new, answer it, and prove that nothing was lost."""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from schemas.bundle import BundleManifest, OperatingPoint
from schemas.index import INDEX_SCHEMA
from schemas.reasons import Outcome
from schemas.run import RunCounts, RunManifest, RunTimes
from screening import operating_points
from screening.archive import check_apart, write_index
from screening.bundle import verify, with_operating_points
from screening.database import open_duckdb
from screening.errors import ResultsError, ScreeningError, UsageError
from screening.layout import ResultsLayout
from screening.machine import actors_for, calls_for
from screening.pipeline import Work, execute
from screening.plan import PlannedShard, PlanReader, cut_into_shards, shard_sizes, write_plan
from screening.progress import Progress, ShowProgress, show_nothing
from screening.ray_session import ray_session
from screening.results import committed_shards, list_parts, read_columns
from screening.run_config import RunConfig, content_digest
from screening.runs import check_all_accounted_for, key_id_of, new_run_id, now, recorded, software_versions, unfinished_run, write_manifest
from screening.storage import remove_temporaries


@dataclass(frozen=True)
class Night:
    """What `screening run` was asked to do."""

    archive_url: str
    results_url: str
    bundle_url: str
    config: RunConfig
    pseudonym_key: bytes
    operating_points_url: str | None = None  # other thresholds than the bundle's own, as `screening thresholds --save` writes them

    @property
    def layout(self) -> ResultsLayout:
        """Names in the results folder."""
        return ResultsLayout(self.results_url)

    @property
    def key_id(self) -> str:
        """Tells one pseudonym key from another."""
        return key_id_of(self.pseudonym_key)


def screen(night: Night, show: ShowProgress = show_nothing) -> Iterator[RunManifest]:
    """Yield the manifest of each run as it ends: first those that died and are resumed, then tonight's.

    Raises:
        BundleError: the bundle is damaged; nothing was read.
        ArchiveError: the archive cannot be listed.
        UsageError: results inside the archive, an unfinished run that was made with another pseudonym key, or operating points that
            were chosen for another bundle.
        ResultsError: the run does not account for every object; its manifest says failed.
    """
    check_apart(night.archive_url, night.results_url)
    bundle = verify(night.bundle_url)
    points = operating_points.check(operating_points.load(url), bundle.digest()) if (url := night.operating_points_url) else {}
    bundle = with_operating_points(bundle, points)
    remove_temporaries(night.results_url)
    run_id = None
    while (dead := unfinished_run(night.layout, night.archive_url, bundle.digest())) is not None:
        if dead.status == "planning":  # it had promised nothing yet: tonight's run takes its folder
            run_id = dead.run_id
            break
        yield _carry_out(dead.model_copy(update={"executions": dead.executions + 1}), night, show)
    run = _plan_tonight(night, _new_run(night, bundle, points, run_id or new_run_id(now())))
    yield _carry_out(run, night, show) if run.status != "finished" else run


def _plan_tonight(night: Night, run: RunManifest) -> RunManifest:
    """Index the archive, write the plan, and return tonight's run; finished at once where there is nothing to score."""
    clock = time.monotonic()
    run_id = run.run_id
    write_manifest(night.layout, run)
    config, layout = _configuration_of(run, night), night.layout
    objects = write_index(night.archive_url, layout.index(run_id))
    pending = _not_answered(layout, run.bundle_digest, layout.index(run_id))
    planned = min(pending.num_rows, config.limit or pending.num_rows)
    salt = content_digest(config, run.bundle_digest, night.key_id)
    sizes = shard_sizes(planned, config.shard_rows, actors_for(config) * calls_for(config))
    write_plan(cut_into_shards(pending, sizes, salt=salt), layout.plan(run_id))
    counts = RunCounts(
        objects=objects, already_scored=objects - pending.num_rows, planned=planned, left_for_later=pending.num_rows - planned
    )
    seconds = time.monotonic() - clock
    ended = {"status": "running"} if planned else {"status": "finished", "finished": now()}
    run = run.model_copy(update={"counts": counts, "times": RunTimes(index_seconds=seconds, wall_seconds=seconds), **ended})
    write_manifest(layout, run)
    return run


def _new_run(night: Night, bundle: BundleManifest, points: dict[str, OperatingPoint], run_id: str) -> RunManifest:
    """Return a run that has promised nothing yet. The bundle's age limit becomes the gate's."""
    ingest = dataclasses.replace(night.config.ingest, min_age_years=bundle.preprocessing.min_age_years)
    config = dataclasses.replace(night.config, ingest=ingest)
    return RunManifest(
        run_id=run_id,
        archive_url=night.archive_url,
        results_url=night.results_url,
        bundle_url=night.bundle_url,
        bundle_name=bundle.name,
        bundle_digest=bundle.digest(),
        operating_points=points,
        screen_date=config.screen_date,
        configuration=config.to_json() | {"pseudonym_key_id": night.key_id},
        versions=software_versions(),
        started=now(),
    )


def _not_answered(layout: ResultsLayout, bundle_digest: str, index_url: str) -> pa.Table:
    """Return the rows of an index (INDEX_SCHEMA) that no committed part of the bundle answers: the anti-join of the design."""
    connection = open_duckdb(index_url)
    connection.register("answer", read_columns(list_parts(layout, bundle_digest), ["object_id"]))
    query = "select found.* from read_parquet($index) as found anti join answer using (object_id)"
    return connection.sql(query, params={"index": index_url}).to_arrow_table().cast(INDEX_SCHEMA)


def _carry_out(run: RunManifest, night: Night, show: ShowProgress) -> RunManifest:
    """Answer a run's plan, prove that nothing was lost, and keep its manifest true meanwhile."""
    config = _configuration_of(run, night)
    plan_url = night.layout.plan(run.run_id)
    shards = PlanReader(plan_url).shards()
    work = Work(plan_url, night.layout, night.bundle_url, run.bundle_digest, config, night.pseudonym_key, run.operating_points)
    with recorded(night.layout, run):
        with ray_session(actors=actors_for(config)):
            run.times = answer(work, shards, run.run_id, show).times.model_copy(update={"index_seconds": run.times.index_seconds})
        run.counts = recount(work, shards, run.counts)
        check_all_accounted_for(night.layout, run)
    return run


def _configuration_of(run: RunManifest, night: Night) -> RunConfig:
    """Return the configuration that a run was planned with: a resumed run ends as it began, only on tonight's machines."""
    stored = dict(run.configuration)
    key_id = stored.pop("pseudonym_key_id")
    if key_id != night.key_id:
        raise UsageError(
            f"run {run.run_id} was begun with another pseudonym key ({key_id}, now {night.key_id}); finish it with that one, "
            "or give another --results folder"
        )
    machines = ("actors", "gpus_per_actor", "batch_size", "decoders", "read_threads", "decode_seconds", "decode_memory_bytes")
    return dataclasses.replace(RunConfig.from_json(stored), **{name: getattr(night.config, name) for name in machines})


def answer(work: Work, shards: list[PlannedShard], run_id: str, show: ShowProgress, *, again: bool = False) -> Progress:
    """Bring every shard to its commit and return what was counted; raises ScreeningError where one resists.

    Shards that are missing after the first pass are probed one row a task. A row that still kills its worker is quarantined: the last
    pass makes it a failed row and never touches it again.

    Args:
        again: do committed shards once more (a redrive).
    """
    done = set() if again else committed_shards(work.layout, work.bundle_digest)
    missing = [shard for shard in shards if shard.shard_id not in done]
    planned = sum(shard.rows for shard in shards)
    progress = Progress(run_id, planned, resumed=planned - sum(shard.rows for shard in missing))
    show(progress)
    missing = _pass(work, missing, progress, show)
    if missing:
        progress.note = f"{len(missing)} shards lost their worker: looking for the image, one row a task"
        show(progress)
        work = dataclasses.replace(work, quarantined=_find_killers(work, missing))
        missing = _pass(work, missing, progress, show)
    if missing:
        raise ResultsError(
            f"{len(missing)} shards could not be committed, the first is {missing[0].shard_id}; see Ray's logs, then run again"
        )
    progress.note = ""
    show(progress)
    return progress


def _pass(work: Work, shards: list[PlannedShard], progress: Progress, show: ShowProgress) -> list[PlannedShard]:
    """Run shards through the pipeline and return those that did not come through."""
    came_through = set()
    for summary in execute(work, shards):
        came_through.add(summary["shard_id"])
        progress.add(summary)
        show(progress)
        progress.stop_if_the_store_is_down(work.config.max_failed_fraction)
    return [shard for shard in shards if shard.shard_id not in came_through]


def _find_killers(work: Work, shards: list[PlannedShard]) -> dict[str, str]:
    """Return object_id → detail of the rows of `shards` that do not survive even alone."""
    reader = PlanReader(work.plan_url)
    suspects = {object_id for shard in shards for object_id in reader.read(shard).column("object_id").to_pylist()}
    probe = dataclasses.replace(work, commit=False)
    survivors = {object_id for summary in execute(probe, shards, rows_apart=True) for object_id in summary["object_ids"]}
    if not survivors and len(suspects) > 1:
        raise ScreeningError(
            f"none of {len(suspects)} images came through the pipeline, not even alone: the workers fail, not the images; see Ray's logs"
        )
    return dict.fromkeys(suspects - survivors, "the worker process died on this image, also when it had no other")


def recount(work: Work, shards: list[PlannedShard], counts: RunCounts) -> RunCounts:
    """Return `counts` with what the committed parts of a plan really hold."""
    parts = [work.layout.part(work.bundle_digest, work.config.screen_date, shard.shard_id) for shard in shards]
    if not parts:
        return counts
    connection = open_duckdb()
    connection.register("answer", read_columns(parts, ["outcome", "reason", "pneumonia_positive", "covid_positive"]))
    rows = connection.execute(
        "select outcome, reason, count(*), count(*) filter (pneumonia_positive), count(*) filter (covid_positive) from answer group by all"
    )
    found = RunCounts(**counts.model_dump(include={"objects", "already_scored", "planned", "left_for_later"}))
    found.outcomes = {outcome.value: 0 for outcome in Outcome}
    for outcome, reason, n, pneumonia, covid in rows.fetchall():
        found.written += n
        found.outcomes[outcome] += n
        if reason:
            found.reasons[reason] = found.reasons.get(reason, 0) + n
        found.pneumonia_positive += pneumonia
        found.covid_positive += covid
    return found
