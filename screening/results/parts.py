"""Results: committing shards, and proving that every object of an index has exactly one row.

A shard is committed when its Parquet part exists. The heatmap zip is written first and the part last, each in one atomic put under a name
that only its content decides, so that two workers that do the same shard write the same bytes to the same names.
"""

import contextlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.instance import ADDED_COLUMNS, INSTANCE_SCHEMA
from schemas.reasons import Outcome
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout, shard_id_of_part
from screening.storage import exists, list_files, read_bytes

PARTS_AT_ONCE = 16
MOVE_AWAY = "move it away, and the next `screening run` scores its objects again"

_COLUMNS = [(field.name, field.type) for field in INSTANCE_SCHEMA]
_EARLIER_COLUMNS = [(name, type) for name, type in _COLUMNS if name not in ADDED_COLUMNS]
_PLACES = [INSTANCE_SCHEMA.get_field_index(name) for name in ("bundle_digest", "screen_date", "shard_id")]


def read_part(url: str) -> pa.Table:
    """Return a committed part (INSTANCE_SCHEMA). Raises ResultsError as `check_part` does, and where the part is missing or damaged."""
    return _read(url, INSTANCE_SCHEMA.names).cast(INSTANCE_SCHEMA)


def read_columns(urls: list[str], columns: list[str]) -> pa.Table:
    """Return some columns of many parts: one request a part, `PARTS_AT_ONCE` at a time. Raises ResultsError as `read_part` does."""
    schema = pa.schema([INSTANCE_SCHEMA.field(name) for name in columns])
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="parts") as pool:
        return pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in pool.map(lambda url: _read(url, columns), urls))])


def check_part(url: str, footer: pq.FileMetaData) -> None:
    """Raise ResultsError unless a part has the columns of INSTANCE_SCHEMA and lies where the shard of its rows belongs.

    A part that was copied or moved is known by the statistics of three columns, so no row is read: bundle, night and shard of its rows
    are those that its folders and its name say.
    """
    if [(field.name, field.type) for field in footer.schema.to_arrow_schema()] not in (_COLUMNS, _EARLIER_COLUMNS):
        raise ResultsError(f"{url}: its columns are not those of instance schema version 2 or 1, so it is no part of results; {MOVE_AWAY}")
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    ends = [[group.column(place).statistics for place in _PLACES] for group in groups]
    said = {end for group in ends if all(group) for end in (tuple(one.min for one in group), tuple(one.max for one in group))}
    check_place(url, said if ends and all(map(all, ends)) else set())


def check_place(url: str, said: set[tuple[str, date, str]]) -> None:
    """Raise ResultsError unless a part's rows say one bundle_digest, screen_date and shard_id, and these are what its URL says."""
    if len(said) != 1:
        raise ResultsError(f"{url}: its rows are not those of one shard, so no run has written it; {MOVE_AWAY}")
    [place] = said
    belongs = ResultsLayout("").part(*place)
    if not url.endswith((belongs, ResultsLayout("").earlier_part(*place))):
        raise ResultsError(f"{url}: a copy, or renamed or moved: its rows belong to {belongs[1:]}; move it away, or back where it was")


def check_pages(urls: Iterable[str]) -> None:
    """Raise ResultsError for the first part that cannot be read to its last page."""
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="parts") as pool:
        for _ in pool.map(read_part, urls):
            pass


def _read(url: str, columns: list[str]) -> pa.Table:
    try:
        data = read_bytes(url)
    except FileNotFoundError as error:
        raise ResultsError(f"{url} is missing; run the same command again to resume") from error
    with _damage_named(url):
        file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
    check_part(url, file.metadata)
    with _damage_named(url):
        table = file.read([name for name in columns if name in file.schema_arrow.names])
    for name in columns:
        if name not in table.column_names:  # a part of an earlier version
            table = table.append_column(INSTANCE_SCHEMA.field(name), pa.nulls(len(table), INSTANCE_SCHEMA.field(name).type))
    return table.select(columns)


@contextlib.contextmanager
def _damage_named(url: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ResultsError(f"{url}: damaged, cut or no Parquet file; {MOVE_AWAY}") from error


def list_parts(layout: ResultsLayout, bundle_digest: str) -> list[str]:
    """Return the URLs of every committed part of a bundle, in order."""
    return list_files(layout.instances(bundle_digest), ".parquet")


def committed_parts(layout: ResultsLayout, bundle_digest: str, screen_date: date) -> dict[str, str]:
    """Return shard_id → part URL of every committed shard of a bundle and night."""
    folders = (layout.earlier_night(bundle_digest, screen_date), layout.night(bundle_digest, screen_date))
    return {shard_id_of_part(url): url for folder in folders for url in list_files(folder, ".parquet")}


def part_of(layout: ResultsLayout, bundle_digest: str, screen_date: date, shard_id: str) -> str:
    """Return the URL of the part that commits a shard: where it lies already, or else where it is to be written."""
    earlier = layout.earlier_part(bundle_digest, screen_date, shard_id)
    return earlier if exists(earlier) else layout.part(bundle_digest, screen_date, shard_id)


def count_outcomes(rows: pa.Table) -> tuple[Counter[str], Counter[str]]:
    """Return the rows by outcome, and the refused ones by reason."""
    reasons = pc.drop_null(rows.column("reason"))
    return Counter(rows.column("outcome").to_pylist()), Counter(reasons.to_pylist())


def rows_to_redrive(layout: ResultsLayout, bundle_digest: str, reasons: set[str] | None = None) -> dict[str, pa.Table]:
    """Return part URL → its rows that are to be scored again (INSTANCE_SCHEMA): those with one of `reasons`, or else all failed ones."""
    chosen: dict[str, pa.Table] = {}
    for url in list_parts(layout, bundle_digest):
        rows = read_part(url)
        if reasons is None:
            wanted = pc.equal(rows.column("outcome"), Outcome.FAILED)
        else:
            wanted = pc.is_in(rows.column("reason"), pa.array(sorted(reasons), pa.string()))
        if (again := rows.filter(wanted)).num_rows:
            chosen[url] = again
    return chosen
