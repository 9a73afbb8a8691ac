"""Bring every shard of a plan to its commit, and find the images that kill their workers."""

import dataclasses
import logging
from datetime import UTC, datetime

from schemas.reasons import Reason
from screening.errors import ResultsError, ScreeningError, WriteError
from screening.results.rows import committed_shards
from screening.results.run_log import entry_of
from screening.run.machine import actors_for
from screening.run.machines import nodes_lost
from screening.run.pipeline import Work, execute
from screening.run.plan import PlannedShard, PlanReader
from screening.run.progress import Progress, ShowProgress

KILLED = "the worker failed on this image, also when it had no other"
log = logging.getLogger(__name__)


def answer(
    work: Work, shards: list[PlannedShard], run_id: str, show: ShowProgress, *, again: bool = False, deadline: datetime | None = None
) -> Progress:
    """Bring every shard to its commit and return what was counted; raises ScreeningError where one resists.

    Raises WriteError at the first shard that finds the results folder full or read-only: the next ones would find it so, too.

    Shards that are missing after a pass in which the cluster lost a machine are done again on the others. Those that are missing then, too,
    are probed one row a task. A row that still kills its worker is quarantined: the last pass makes it a failed row and never touches it
    again.

    Args:
        again: do committed shards once more (a redrive).
        deadline: stop at the first commit after it; the progress says so.
    """
    done = set() if again else committed_shards(work.layout, work.bundle_digest, work.config.rows.screen_date)
    missing = [shard for shard in shards if shard.shard_id not in done]
    planned = sum(shard.rows for shard in shards)
    progress = Progress(run_id, planned, resumed=planned - sum(shard.rows for shard in missing), actors=actors_for(work.config.machine))
    show(progress)
    lost = nodes_lost()
    missing = _pass(work, missing, progress, show, deadline)
    while missing and not progress.stopped and nodes_lost() > lost:
        lost = nodes_lost()
        progress.note = f"{len(missing)} shards lost their machine: doing them again on the others"
        log.warning("%s; the first is shard %s", progress.note, missing[0].shard_id)
        show(progress)
        missing = _pass(work, missing, progress, show, deadline)
    if missing and not progress.stopped:
        progress.retried = len(missing)
        progress.note = f"{len(missing)} shards lost their worker: looking for the image, one row a task"
        log.warning("%s; the first is shard %s", progress.note, missing[0].shard_id)
        show(progress)
        work = dataclasses.replace(work, quarantined=_find_killers(work, missing))
        missing = _pass(work, missing, progress, show, deadline)
    if missing and not progress.stopped:
        raise ResultsError(
            f"{len(missing)} shards could not be committed, the first is {missing[0].shard_id}; {_see_the_log(work)}, then run again"
        )
    progress.note = ""
    show(progress)
    return progress


def _pass(work: Work, shards: list[PlannedShard], progress: Progress, show: ShowProgress, deadline: datetime | None) -> list[PlannedShard]:
    """Run shards through the pipeline and return those that did not come through, or were not reached before the deadline."""
    came_through = set()
    for summary in execute(work, shards):
        if summary["not_written"]:
            raise WriteError(summary["not_written"])
        came_through.add(summary["shard_id"])
        progress.add(summary)
        show(progress)
        progress.stop_if_the_store_is_down(work.config.max_failed_fraction)
        if deadline is not None and datetime.now(UTC) >= deadline:
            progress.stopped = progress.answered < progress.planned
            break
    return [shard for shard in shards if shard.shard_id not in came_through]


def _find_killers(work: Work, shards: list[PlannedShard]) -> dict[str, str]:
    """Return object_id → detail of the rows of `shards` that do not survive even alone."""
    reader = PlanReader(work.plan_url)
    suspects = {object_id for shard in shards for object_id in reader.read(shard).column("object_id").to_pylist()}
    probe = dataclasses.replace(work, commit=False)
    survivors = {object_id for summary in execute(probe, shards, rows_apart=True) for object_id in summary["object_ids"]}
    if not survivors and len(suspects) > 1:
        raise ScreeningError(
            f"none of {len(suspects)} images came through the pipeline, not even alone: the workers fail, not the images; "
            + _see_the_log(work)
        )
    killers = sorted(suspects - survivors)
    for object_id in killers:
        log.warning("%s: %s", Reason.WORKER_DIED, KILLED, extra={"object_id": object_id})
    return {object_id: f"{KILLED}; log entry {entry_of(object_id)}" for object_id in killers}


def _see_the_log(work: Work) -> str:
    return f"see `screening status {work.layout.root} --log {work.run_id}`"
