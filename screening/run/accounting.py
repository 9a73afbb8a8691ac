"""The proof that nothing was lost: every object of an index has exactly one row."""

import pyarrow as pa

from schemas.index import INDEX_SCHEMA
from schemas.reasons import Outcome
from schemas.run import RunCounts, RunManifest
from screening.errors import ResultsError
from screening.results.database import open_duckdb
from screening.results.layout import ResultsLayout
from screening.results.parts import list_parts, read_columns
from screening.run.pipeline import Work
from screening.run.plan import PlannedShard


def answered_objects(layout: ResultsLayout, bundle_digest: str, index_url: str) -> tuple[int, int, int]:
    """Count an index against the committed parts of a bundle.

    Returns:
        objects of the index that have a row; rows too many of those objects (0 in sound results); objects of the index.
    """
    connection = open_duckdb(index_url)
    connection.register("answer", read_columns(list_parts(layout, bundle_digest), ["object_id"]))
    return connection.execute(
        "with own as (select object_id from answer semi join read_parquet($index) as found using (object_id)) "
        "select count(distinct object_id), count(*) - count(distinct object_id), (select count(*) from read_parquet($index)) from own",
        {"index": index_url},
    ).fetchone()


def check_all_accounted_for(layout: ResultsLayout, manifest: RunManifest) -> None:
    """Raise ResultsError unless every object of the run's index has exactly one row, less those left for later."""
    index_url = layout.index(manifest.run_id)
    answered, doubled, objects = answered_objects(layout, manifest.bundle_digest, index_url)
    expected = objects - manifest.counts.left_for_later
    if answered != expected or doubled:
        raise ResultsError(
            f"run {manifest.run_id}: {objects} objects in the index, {manifest.counts.left_for_later} left for later, "
            f"but {answered} have a row and {doubled} rows are doubled; run the same command again to resume"
        )


def not_answered(layout: ResultsLayout, bundle_digest: str, index_url: str) -> pa.Table:
    """Return the rows of an index (INDEX_SCHEMA) that no committed part of the bundle answers: the anti-join of the design."""
    connection = open_duckdb(index_url)
    connection.register("answer", read_columns(list_parts(layout, bundle_digest), ["object_id"]))
    query = "select found.* from read_parquet($index) as found anti join answer using (object_id)"
    return connection.sql(query, params={"index": index_url}).to_arrow_table().cast(INDEX_SCHEMA)


def recount(work: Work, shards: list[PlannedShard], counts: RunCounts) -> RunCounts:
    """Return `counts` with what the committed parts of a plan really hold."""
    parts = [work.layout.part(work.bundle_digest, work.config.rows.screen_date, shard.shard_id) for shard in shards]
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
