"""Redrive: score failed rows again, or those with a named reason, and put the new answers in the place of the old ones."""

import dataclasses
from dataclasses import dataclass, field

import pyarrow as pa

from schemas.index import PLAN_SCHEMA
from schemas.run import RunCounts, RunManifest
from screening.bundle.checks import verify
from screening.errors import ResultsError, UsageError
from screening.privacy import key_id_of
from screening.results.layout import ResultsLayout, shard_id_of_part
from screening.results.manifests import list_runs, new_run_id, now, recorded, software_versions
from screening.results.rows import rows_to_redrive
from screening.run.answer import answer
from screening.run.config import MachineConfig, RunConfig
from screening.run.machine import actors_for
from screening.run.machines import resolved
from screening.run.pipeline import Work
from screening.run.plan import PlanReader, write_plan
from screening.run.progress import ShowProgress, show_nothing
from screening.run.ray_session import ray_session

_AS_BEFORE = {"archive_url", "results_url", "bundle_name", "bundle_digest", "operating_points", "sites", "screen_date"}


@dataclass(frozen=True)
class Redrive:
    """What `screening redrive` was asked to do. `bundle_url` None takes that of the latest run."""

    results_url: str
    pseudonym_key: bytes = field(repr=False)
    bundle_url: str | None = None
    reasons: frozenset[str] = frozenset()  # rows with one of these, also those that reject; empty takes all failed rows
    machine: MachineConfig = field(default_factory=MachineConfig)  # the one at hand, which may be another than the run had

    @property
    def layout(self) -> ResultsLayout:
        """Names in the results folder."""
        return ResultsLayout(self.results_url)


def redrive(request: Redrive, show: ShowProgress = show_nothing) -> list[RunManifest]:
    """Score failed rows again with the configuration of the run that wrote them; return one manifest for each such run.

    Raises UsageError where there was no run or the key or bundle is another one, BundleError for a damaged bundle.
    """
    runs = [run for run in list_runs(request.layout) if run.kind == "run"]
    if not runs:
        raise UsageError(f"{request.results_url}: no run has written here; give the folder that was --results of `screening run`")
    bundle_url = request.bundle_url or runs[-1].bundle_url
    bundle = verify(bundle_url)
    runs = [run for run in runs if bundle.judging_at(run.operating_points, run.sites).digest() == run.bundle_digest]
    failed: dict[str, pa.Table] = {}
    for digest in {run.bundle_digest for run in runs}:
        rows_of_part = rows_to_redrive(request.layout, digest, set(request.reasons) or None)
        failed |= {shard_id_of_part(url): rows for url, rows in rows_of_part.items()}
    manifests = []
    for run in runs:
        own = [] if run.status == "planning" else [shard.shard_id for shard in PlanReader(request.layout.plan(run.run_id)).shards()]
        chosen = {shard_id: failed.pop(shard_id) for shard_id in own if shard_id in failed}
        if chosen:
            manifests.append(_score_again(request, run, bundle_url, chosen, show))
    if failed:
        raise ResultsError(f"{len(failed)} shards with failed rows belong to no run of {request.layout.runs}; were run folders removed?")
    return manifests


def _score_again(request: Redrive, origin: RunManifest, bundle_url: str, failed: dict[str, pa.Table], show: ShowProgress) -> RunManifest:
    """Answer the failed rows of one run's shards, as a run of its own."""
    config, layout = configuration_as_run(origin, request.pseudonym_key, request.machine), request.layout
    shards = [_plan_again(rows) for rows in failed.values()]
    objects = sum(map(len, shards))
    run = RunManifest(
        **origin.model_dump(include=_AS_BEFORE),
        run_id=new_run_id(now()),
        kind="redrive",
        bundle_url=bundle_url,
        versions=software_versions(),
        started=now(),
        configuration=config.to_json() | {"pseudonym_key_id": key_id_of(request.pseudonym_key)},
        counts=RunCounts(objects=objects, planned=objects),
    )
    write_plan(shards, layout.plan(run.run_id))
    work = Work(run.run_id, layout, bundle_url, run.bundle_digest, config, request.pseudonym_key, run.operating_points, run.sites)
    with recorded(layout, run), ray_session(actors=actors_for(config.machine)):
        progress = answer(work, PlanReader(work.plan_url).shards(), run.run_id, show, again=True)
        run.times = progress.times
        run.counts.written = progress.outcomes.total()
        run.counts.outcomes, run.counts.reasons = dict(progress.outcomes), dict(progress.reasons)
        run.counts.pneumonia_positive, run.counts.covid_positive = progress.pneumonia_positive, progress.covid_positive
    return run


def _plan_again(rows: pa.Table) -> pa.Table:
    """Return failed rows (INSTANCE_SCHEMA) of one shard as rows of a plan (PLAN_SCHEMA)."""
    columns = {name: rows.column(name) for name in PLAN_SCHEMA.names if name != "shard_row"}
    columns["shard_row"] = pa.array(range(len(rows)), pa.int32())
    return pa.table({name: columns[name] for name in PLAN_SCHEMA.names}, schema=PLAN_SCHEMA)


def configuration_as_run(origin: RunManifest, pseudonym_key: bytes, machine: MachineConfig) -> RunConfig:
    """Return the configuration of an earlier run, to be carried out on another machine. Raises UsageError for another pseudonym key."""
    stored = dict(origin.configuration)
    if stored.pop("pseudonym_key_id") != key_id_of(pseudonym_key):
        raise UsageError(f"run {origin.run_id} was made with another pseudonym key; give that one, or its persons would get two pseudonyms")
    config = RunConfig.from_json(stored, machine)
    return dataclasses.replace(config, machine=resolved(config.machine, config.rows.dtype))
