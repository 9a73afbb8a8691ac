"""A sample of an archive, answered by a candidate in a results folder of its own, as the run did that scored it before."""

import dataclasses
import io
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.bundle import BundleManifest, Overrides
from schemas.index import INDEX_SCHEMA
from schemas.run import RunCounts, RunManifest
from screening.results.manifests import new_run_id, now
from screening.run.config import MachineConfig, RunConfig
from screening.run.machine import actors_for, calls_for
from screening.run.plan import cut_into_shards, newest_first, shard_sizes, write_plan
from screening.run.progress import ShowProgress, show_nothing
from screening.run.redrive import configuration_as_run
from screening.run.screen import Night, carry_out, new_run, resolved_config
from screening.storage import put_atomic


def sample_config(origin: RunManifest, night: date, pseudonym_key: bytes, machine: MachineConfig) -> RunConfig:
    """Return the configuration of an earlier run for its sample: stage 3 judges everything, and no heatmap is kept.

    So each radiograph has a score of both stages, whatever stage 2 calls. Raises UsageError for another pseudonym key.
    """
    config = configuration_as_run(origin, pseudonym_key, machine)
    rows = dataclasses.replace(config.rows, screen_date=night, audit_fraction=1.0, heatmaps="none", guided=False)
    return dataclasses.replace(config, rows=rows, limit=None)


def score_sample(
    objects: pa.Table, night: Night, bundle: BundleManifest, points: Overrides, show: ShowProgress = show_nothing
) -> RunManifest:
    """Answer some objects of an archive, and return the run that did it.

    objects: OBJECT_COLUMNS as rows of an earlier run hold them. night: its results folder is the sample's own. bundle: judging at `points`,
    those that are not its own. Raises what a run raises.
    """
    config, layout = resolved_config(night.config, bundle), night.layout
    run = new_run(night, config, bundle, points, new_run_id(now()))
    objects = objects.select(INDEX_SCHEMA.names).cast(INDEX_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(objects, buffer, compression="zstd")
    put_atomic(layout.index(run.run_id), buffer.getvalue())
    sizes = shard_sizes(len(objects), config.shard_rows, actors_for(config.machine) * calls_for(config.machine))
    salt = config.rows.digest(run.bundle_digest, night.key_id)
    write_plan(cut_into_shards([newest_first(objects)], sizes, salt=salt), layout.plan(run.run_id))
    counts = RunCounts(objects=len(objects), planned=len(objects))
    run = run.model_copy(update={"archive_url": night.archive_url, "counts": counts})  # as the earlier run named it, sealed or not
    return carry_out(run, config, night, show)
