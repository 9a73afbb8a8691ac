"""Whether the parts of a results folder are what runs have written, before anything is counted: none damaged, copied or answered twice."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from screening.errors import ResultsError, ScreeningError
from screening.results.layout import ResultsLayout, shard_id_of_part
from screening.results.parts import PARTS_AT_ONCE, check_pages, check_part, check_place
from screening.storage import filesystem_of, join, list_files

# of a query that is wrong or was stopped; every other error of DuckDB may come from a damaged part
_NOT_OF_DATA = (
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException, duckdb.InterruptException),
    duckdb.PermissionException,
)


def check_parts(connection: duckdb.DuckDBPyConnection, parts: Mapping[str, str], layout: ResultsLayout) -> Counter[str]:
    """Return the rows of each bundle_digest in some parts of a results folder, given as local path → URL.

    Three columns of each part are read. They say where the part belongs, so that a copy is found whatever its name is. A run has proved
    that its own parts answer each object once. Only where a part stands in no run's plan are the keys of all rows compared.
    Raises ResultsError for a part that is damaged, of another schema, copied or moved, and where two rows answer the same object.
    """
    rows: Counter[str] = Counter()
    _check_footer(*next(iter(parts.items())))  # DuckDB reads all parts by the columns of the first
    with _named(parts):
        facts = connection.execute(
            "select filename, count(*), min(bundle_digest), min(screen_date), min(shard_id), max(bundle_digest), max(screen_date), "
            "max(shard_id) from read_parquet($paths, filename = true, hive_partitioning = false) group by filename",
            {"paths": list(parts)},
        ).fetchall()
    places: dict[tuple, str] = {}
    for path, count, *ends in sorted(facts):
        check_place(parts[path], {tuple(ends[:3]), tuple(ends[3:])})
        if (twin := places.setdefault(tuple(ends[:3]), path)) != path:
            raise ResultsError(f"{parts[twin]} and {parts[path]}: the same shard in two folders of its night; move one of them away")
        rows[ends[0]] += count
    if len(facts) < len(parts):
        empty = min(parts[path] for path in parts.keys() - {path for path, *_ in facts})
        check_place(empty, set())
    planned = planned_shards(layout)
    if any(shard_id_of_part(url) not in planned for url in parts.values()):
        _check_single(connection, parts)
    return rows


def planned_shards(layout: ResultsLayout) -> set[str]:
    """Return the shard_id of every shard that a run has planned; a plan that cannot be read counts as none."""
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="plans") as pool:
        return set().union(*pool.map(_shards_of, list_files(layout.runs, "plan.parquet")))


@contextlib.contextmanager
def damage_named(results_url: str) -> Iterator[None]:
    """Where a query in the block fails, look for the part that is damaged and raise ResultsError with its name.

    DuckDB reads pages as a query needs them, so damage that spares the end of a part is found late, and often without a name.
    """
    try:
        yield
    except (duckdb.Error, ScreeningError) as error:
        cause = error if isinstance(error, duckdb.Error) else error.__cause__
        if isinstance(cause, duckdb.Error) and not isinstance(cause, _NOT_OF_DATA):
            check_pages(list_files(join(results_url, "instances"), ".parquet"))
        raise


def doubled_rows(object_id: str, parts: Sequence[str]) -> ResultsError:
    """Return the error that says which parts answer the same object."""
    where = " and ".join(sorted(set(parts))[:2])
    return ResultsError(f"{where}: more than one row answers object {object_id}, so it would count twice; move away what was copied here")


def _check_single(connection: duckdb.DuckDBPyConnection, parts: Mapping[str, str]) -> None:
    """Raise ResultsError where two rows of a bundle answer the same object. Numbers are grouped faster than texts."""
    rows = "from read_parquet($paths, filename = true, hive_partitioning = false)"
    with _named(parts):
        shared = connection.execute(
            f"select number from (select hash(bundle_digest, object_id) as number {rows}) group by number having count(*) > 1 limit 1000",
            {"paths": list(parts)},
        ).fetchall()
        doubled = (
            shared
            and connection.execute(
                f"select object_id, list(filename) {rows} where list_contains($shared, hash(bundle_digest, object_id)) "
                "group by bundle_digest, object_id having count(*) > 1 order by object_id limit 1",
                {"paths": list(parts), "shared": [number for (number,) in shared]},
            ).fetchall()
        )
    for object_id, paths in doubled:
        raise doubled_rows(object_id, [parts[path] for path in paths])


@contextlib.contextmanager
def _named(parts: Mapping[str, str]) -> Iterator[None]:
    """Where DuckDB cannot read the parts, say which it is: its own message names none where the first one is of another schema."""
    try:
        yield
    except duckdb.Error:
        for path, url in parts.items():
            _check_footer(path, url)
        check_pages(parts.values())
        raise


def _check_footer(path: str, url: str) -> None:
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        check_pages([url])
        raise
    check_part(url, footer)


def _shards_of(plan_url: str) -> set[str]:
    filesystem, path = filesystem_of(plan_url)
    try:
        with filesystem.open(path, "rb") as file:
            footer = pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return set()
    return {footer.row_group(group).column(0).statistics.min for group in range(footer.num_row_groups)}
