"""The proof that nothing was lost: every object of an index has exactly one row."""

import duckdb

from schemas.reasons import Outcome
from schemas.run import RunCounts, RunManifest
from screening.errors import ResultsError
from screening.results.database import open_duckdb
from screening.results.layout import ResultsLayout
from screening.results.rows import read_shards
from screening.run.plan import PlannedShard


def account(layout: ResultsLayout, run: RunManifest, shards: list[PlannedShard]) -> RunCounts:
    """Return the counts of a run by what its committed parts really hold, each part read once.

    What earlier runs answered was counted when the plan was made, so together they say whether every object has its row.
    Raises ResultsError unless every object of the run's index has exactly one, less those left for later.
    """
    index_url = layout.index(run.run_id)
    connection = open_duckdb(index_url)
    own = [shard.shard_id for shard in shards]
    columns = ["object_id", "outcome", "reason", "pneumonia_positive", "covid_positive"]
    connection.register("answer", read_shards(layout, run.bundle_digest, run.screen_date, own, columns))
    answered, doubled, objects = connection.execute(
        "with own as (select object_id from answer semi join read_parquet($index) as indexed using (object_id)) "
        "select count(distinct object_id), count(*) - count(distinct object_id), (select count(*) from read_parquet($index)) from own",
        {"index": index_url},
    ).fetchone()
    earlier, later = run.counts.already_scored, run.counts.left_for_later
    if answered + earlier + later != objects or doubled:
        raise ResultsError(
            f"run {run.run_id}: {objects} objects in the index, {earlier} answered by earlier runs, {later} left for later, "
            f"but {answered} have a row of this run and {doubled} rows are doubled; run the same command again to resume"
        )
    return _counted(connection, run.counts)


def _counted(connection: duckdb.DuckDBPyConnection, planned: RunCounts) -> RunCounts:
    """Return the counts of the rows in the table `answer`, beside those that were known when the plan was made."""
    counts = RunCounts(**planned.model_dump(include={"objects", "already_scored", "planned", "left_for_later"}))
    counts.outcomes = {outcome.value: 0 for outcome in Outcome}
    rows = connection.execute(
        "select outcome, reason, count(*), count(*) filter (pneumonia_positive), count(*) filter (covid_positive) from answer group by all"
    )
    for outcome, reason, n, pneumonia, covid in rows.fetchall():
        counts.written += n
        counts.outcomes[outcome] += n
        if reason:
            counts.reasons[reason] = counts.reasons.get(reason, 0) + n
        counts.pneumonia_positive += pneumonia
        counts.covid_positive += covid
    return counts
