"""Whether the parts of a results folder are what runs have written, before anything is counted: none damaged, copied or answered twice."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from screening.errors import ResultsError, ScreeningError
from screening.results.layout import ResultsLayout, shard_id_of_part
from screening.results.parts import PARTS_AT_ONCE, check_pages, check_part, check_place
from screening.results.rows import check_all_rows, check_compacted, footer_of
from screening.results.snapshot import Snapshot, take
from screening.storage import filesystem_of, list_files

_READ = "read_parquet($paths, filename = true, hive_partitioning = false)"
_REPLACED = "list_contains($compacted::varchar[], filename) and list_contains($replaced::varchar[], screen_date || '/' || shard_id)"

# of a query that is wrong or was stopped; every other error of DuckDB may come from a damaged part
_NOT_OF_DATA = (
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException, duckdb.InterruptException),
    duckdb.PermissionException,
)


def check_files(connection: duckdb.DuckDBPyConnection, paths: Mapping[str, str], snapshot: Snapshot, layout: ResultsLayout) -> Counter[str]:
    """Return the rows of each bundle_digest in the files of a snapshot; `paths` gives URL → local path.

    Of a compacted file the footer is read, because the list of files says what must stand there.
    Raises ResultsError as `check_parts` does, and for a compacted file that is missing, damaged or another one.
    """
    rows: Counter[str] = Counter()
    for url, file in snapshot.compacted.items():
        rows[check_compacted(url, file, footer_of(url, paths[url]))] += file.rows
    others = Others({paths[url]: url for url in snapshot.compacted}, replaced_shards(snapshot))
    if others.paths and others.replaced:
        query = f"select bundle_digest, count(*) from {_READ} where {_REPLACED} group by bundle_digest"
        rows.subtract(dict(connection.execute(query, others.parameters([*others.paths])).fetchall()))
    if snapshot.parts:
        rows += check_parts(connection, {paths[url]: url for url in snapshot.parts}, layout, others)
    return rows


def replaced_shards(snapshot: Snapshot) -> list[str]:
    """Return night/shard_id of each shard whose rows in compacted files do not count, as the view instance_rows asks for them."""
    return [f"{night}/{shard_id}" for night, shard_id in snapshot.replaced()]


def check_parts(
    connection: duckdb.DuckDBPyConnection, parts: Mapping[str, str], layout: ResultsLayout, others: "Others | None" = None
) -> Counter[str]:
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
    if unplanned(layout, {shard_id_of_part(url) for url in parts.values()}):
        _check_single(connection, parts, others or Others({}, []))
    return rows


def unplanned(layout: ResultsLayout, shard_ids: set[str]) -> set[str]:
    """Return those of some shards that no run has planned; a plan that cannot be read counts as none.

    The latest plans are read first, and no more of them than are needed.
    """
    left, plans = set(shard_ids), sorted(list_files(layout.runs, "plan.parquet"), reverse=True)
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="plans") as pool:
        for start in range(0, len(plans), PARTS_AT_ONCE):
            if not left:
                break
            left -= set().union(*pool.map(_shards_of, plans[start : start + PARTS_AT_ONCE]))
    return left


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
            _check_all_pages(results_url)
            if isinstance(cause, duckdb.IOException):
                raise ResultsError(
                    f"{results_url}: files have gone since they were opened, as `screening compact` does; open them again"
                ) from error
        raise


def _check_all_pages(results_url: str) -> None:
    snapshot = take(ResultsLayout(results_url))
    check_pages(snapshot.parts)
    for url, file in snapshot.compacted.items():
        check_all_rows(url, file)


def doubled_rows(object_id: str, parts: Sequence[str]) -> ResultsError:
    """Return the error that says which parts answer the same object."""
    where = " and ".join(sorted(set(parts))[:2])
    return ResultsError(f"{where}: more than one row answers object {object_id}, so it would count twice; move away what was copied here")


@dataclass(frozen=True)
class Others:
    """The compacted files beside some parts, as local path → URL, and night/shard_id of what of them does not count."""

    paths: Mapping[str, str]
    replaced: list[str]

    def parameters(self, paths: list[str]) -> dict[str, list[str]]:
        """Return the parameters of _READ and _REPLACED for some files."""
        return {"paths": paths, "compacted": [*self.paths], "replaced": self.replaced}


def _check_single(connection: duckdb.DuckDBPyConnection, parts: Mapping[str, str], others: Others) -> None:
    """Raise ResultsError where two rows of a bundle answer the same object. Numbers are grouped faster than texts."""
    urls = {**parts, **others.paths}
    asked = others.parameters([*urls])
    counted = f"(from {_READ} where not ({_REPLACED}))"
    with _named(parts):
        shared = connection.execute(
            f"select number from (select hash(bundle_digest, object_id) as number from {counted}) "
            "group by number having count(*) > 1 limit 1000",
            asked,
        ).fetchall()
        doubled = (
            shared
            and connection.execute(
                f"select object_id, list(filename) from {counted} where list_contains($shared, hash(bundle_digest, object_id)) "
                "group by bundle_digest, object_id having count(*) > 1 order by object_id limit 1",
                {**asked, "shared": [number for (number,) in shared]},
            ).fetchall()
        )
    for object_id, paths in doubled:
        raise doubled_rows(object_id, [urls[path] for path in paths])


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
