"""One night: resume what died, plan what is new, answer it, and prove that nothing was lost."""

import dataclasses
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from schemas.bundle import BundleManifest, Overrides
from schemas.registry import RegistryEntry
from schemas.run import RunCounts, RunManifest, RunTimes
from screening.archive.index import check_apart, check_uids_hidden, inventory_manifest, write_index
from screening.bundle import operating_points
from screening.bundle.checks import verify
from screening.errors import UsageError
from screening.privacy import UrlSeal, key_id_of
from screening.registry import history, steps
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs, new_run_id, now, recorded, software_versions, unfinished_run, write_manifest
from screening.results.rows import committed_shards
from screening.run.accounting import account
from screening.run.answer import answer
from screening.run.config import RunConfig
from screening.run.machine import actors_for, calls_for
from screening.run.machines import resolved
from screening.run.pending import Pending
from screening.run.pipeline import Work
from screening.run.plan import MOST_PLANNED, PlannedShard, PlanReader, cut_into_shards, shard_sizes, write_plan
from screening.run.precision import decided_dtype
from screening.run.progress import ShowProgress, show_nothing
from screening.run.ray_session import ray_session
from screening.run.sealing import sealed
from screening.storage import remove_temporaries

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Night:
    """What `screening run` was asked to do."""

    archive_url: str
    results_url: str
    bundle_url: str
    config: RunConfig
    pseudonym_key: bytes = field(repr=False)
    operating_points_url: str | None = None  # other thresholds than the bundle's own, as `screening thresholds --save` writes them
    inventory_url: str | None = None  # S3 Inventory that is read in the place of a listing
    deadline: datetime | None = None  # with a time zone: a run stops then, and the rest is left for the next one
    promoted: RegistryEntry | None = None  # the entry of the registry that says which bundle and thresholds judge

    @property
    def layout(self) -> ResultsLayout:
        """Names in the results folder."""
        return ResultsLayout(self.results_url)

    @property
    def key_id(self) -> str:
        """Tells one pseudonym key from another."""
        return key_id_of(self.pseudonym_key)

    @property
    def seal(self) -> UrlSeal | None:
        """Hides the names of objects; None where rows show them."""
        return UrlSeal(self.pseudonym_key) if self.config.rows.encrypt_urls else None

    @property
    def archive_name(self) -> str:
        """The archive as manifests name it."""
        return self.seal.seal(self.archive_url) if self.seal else self.archive_url


def screen(night: Night, show: ShowProgress = show_nothing) -> Iterator[RunManifest]:
    """Yield the manifest of each run as it ends: first those that died and are resumed, then tonight's.

    Tonight's are more than one where more than `MOST_PLANNED` objects have no row.

    Raises:
        BundleError: the bundle is damaged; nothing was read.
        ArchiveError: the archive cannot be listed.
        UsageError: results inside the archive, an unfinished run that was made with another pseudonym key, operating points that
            were chosen for another bundle, a results folder of which some rows would name their objects and others not, or a PACS
            whose URLs would show the UIDs that rows hide.
        ResultsError: the run does not account for every object; its manifest says failed.
    """
    check_apart(night.archive_url, night.results_url)
    rows = night.config.rows
    check_uids_hidden(night.archive_url, pseudonymize_uids=rows.ingest.pseudonymize_uids, encrypt_urls=rows.encrypt_urls)
    bundle, points = _judging(night)
    _check_names(night)
    remove_temporaries(night.results_url)
    run_id = None
    while (dead := unfinished_run(night.layout, night.archive_name, bundle.digest())) is not None:
        if dead.status == "planning":  # it had promised nothing yet: tonight's run takes its folder
            run_id = dead.run_id
            break
        config = _configuration_of(dead, night)
        run = carry_out(dead.model_copy(update={"executions": dead.executions + 1}), config, night, show)
        yield run
        if run.status == "stopped":
            return
    config = resolved_config(night.config, bundle)
    while True:
        run = _plan_tonight(new_run(night, config, bundle, points, run_id or new_run_id(now())), config, night)
        run = carry_out(run, config, night, show) if run.status != "finished" else run
        yield run
        if run.status == "stopped" or config.limit or not run.counts.left_for_later:
            return
        run_id = None  # there is more than one plan holds


def _judging(night: Night) -> tuple[BundleManifest, Overrides]:
    """Return the bundle with the operating points that judge, and those of them that are not its own."""
    if night.promoted:
        return steps.judging(night.promoted)
    bundle = verify(night.bundle_url)
    points = operating_points.check(operating_points.load(url), bundle.digest()) if (url := night.operating_points_url) else Overrides()
    return points.applied(bundle), points


def resolved_config(config: RunConfig, bundle: BundleManifest) -> RunConfig:
    """Return the configuration that tonight's rows are made with: every "auto" decided, and the bundle's age limit in the gate."""
    ingest = dataclasses.replace(config.rows.ingest, min_age_years=bundle.preprocessing.min_age_years)
    rows = dataclasses.replace(config.rows, ingest=ingest, dtype=decided_dtype(config.rows.dtype, config.machine))
    return dataclasses.replace(config, rows=rows, machine=resolved(config.machine, rows.dtype))


def _check_names(night: Night) -> None:
    """Raise UsageError where earlier rows name their objects and tonight's would not, or the other way round.

    The same object would get a second row, because its object_id is another one.
    """
    encrypted = night.config.rows.encrypt_urls
    if any(run.configuration.get("encrypt_urls", False) is not encrypted for run in list_runs(night.layout)):
        without = "without" if encrypted else "with"
        raise UsageError(f"{night.results_url} was begun {without} --encrypt-urls; go on so, or give another --results folder")


def _plan_tonight(run: RunManifest, config: RunConfig, night: Night) -> RunManifest:
    """Index the archive, write the plan, and return tonight's run; finished at once where there is nothing to score."""
    clock = time.monotonic()
    run_id = run.run_id
    if night.inventory_url:
        run = run.model_copy(update={"inventory_url": inventory_manifest(night.archive_url, night.inventory_url)})
    write_manifest(night.layout, run)
    layout, seal = night.layout, night.seal
    hide = partial(sealed, seal=seal, ids=True) if seal else None
    objects = write_index(night.archive_url, layout.index(run_id), hide=hide, inventory_url=run.inventory_url)
    pending = Pending(layout, run.bundle_digest, layout.index(run_id))
    planned = min(pending.rows, config.limit or pending.rows, MOST_PLANNED)
    salt = config.rows.digest(run.bundle_digest, night.key_id)
    sizes = shard_sizes(planned, config.shard_rows, actors_for(config.machine) * calls_for(config.machine))
    write_plan(cut_into_shards(pending.newest_first(planned, seal), sizes, salt=salt), layout.plan(run_id))
    counts = RunCounts(objects=objects, already_scored=objects - pending.rows, planned=planned, left_for_later=pending.rows - planned)
    seconds = time.monotonic() - clock
    ended = {"status": "running"} if planned else {"status": "finished", "finished": now()}
    run = run.model_copy(update={"counts": counts, "times": RunTimes(index_seconds=seconds, wall_seconds=seconds), **ended})
    write_manifest(layout, run)
    return run


def new_run(night: Night, config: RunConfig, bundle: BundleManifest, points: Overrides, run_id: str) -> RunManifest:
    """Return a run that has promised nothing yet."""
    promoted = history.promoted(history.read_history(night.layout))
    return RunManifest(
        run_id=run_id,
        archive_url=night.archive_name,
        results_url=night.results_url,
        bundle_url=night.bundle_url,
        bundle_name=bundle.name,
        bundle_digest=bundle.digest(),
        operating_points=points.operating_points,
        sites=points.sites,
        registry_entry=promoted.number if promoted and promoted.bundle_digest == bundle.digest() else None,
        promoted_digest=promoted and promoted.bundle_digest,
        screen_date=config.rows.screen_date,
        configuration=config.to_json() | {"pseudonym_key_id": night.key_id},
        versions=software_versions(),
        started=now(),
    )


def carry_out(run: RunManifest, config: RunConfig, night: Night, show: ShowProgress) -> RunManifest:
    """Answer a run's plan, prove that nothing was lost, and keep its manifest true meanwhile."""
    work = Work(run.run_id, night.layout, night.bundle_url, run.bundle_digest, config, night.pseudonym_key, run.operating_points, run.sites)
    shards = PlanReader(work.plan_url).shards()
    with recorded(night.layout, run):
        with ray_session(actors=actors_for(config.machine)):
            progress = answer(work, shards, run.run_id, show, deadline=night.deadline)
            run.times = progress.times.model_copy(update={"index_seconds": run.times.index_seconds})
        if progress.stopped:
            shards = _leave_the_rest(run, night, shards)
        run.counts = account(night.layout, run, shards)
    return run


def _leave_the_rest(run: RunManifest, night: Night, shards: list[PlannedShard]) -> list[PlannedShard]:
    """Write down that a run was stopped and what it leaves, and return the shards that it committed, also since its last look.

    Where these are all of them, it was not stopped after all.
    """
    done = committed_shards(night.layout, run.bundle_digest, run.screen_date)
    committed = [shard for shard in shards if shard.shard_id in done]
    left = run.counts.planned - sum(shard.rows for shard in committed)
    if not left:
        return shards
    run.status = "stopped"
    run.counts = run.counts.model_copy(update={"planned": run.counts.planned - left, "left_for_later": run.counts.left_for_later + left})
    log.warning("stopped at the deadline: %d objects are left for the next run", left)
    return committed


def _configuration_of(run: RunManifest, night: Night) -> RunConfig:
    """Return the configuration that a run was planned with: a resumed run ends as it began, only on tonight's machines."""
    stored = dict(run.configuration)
    key_id = stored.pop("pseudonym_key_id")
    if key_id != night.key_id:
        raise UsageError(
            f"run {run.run_id} was begun with another pseudonym key ({key_id}, now {night.key_id}); finish it with that one, "
            "or give another --results folder"
        )
    config = RunConfig.from_json(stored, night.config.machine)
    return dataclasses.replace(config, machine=resolved(config.machine, config.rows.dtype))
