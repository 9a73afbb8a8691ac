"""What a run has still to answer, however large the index."""

from collections.abc import Callable, Iterator

import duckdb
import pyarrow as pa
from duckdb.sqltypes import VARCHAR

from schemas.index import INDEX_SCHEMA
from screening.errors import ResultsError
from screening.privacy import UrlSeal
from screening.results.check import doubled_rows
from screening.results.database import Resources, open_duckdb
from screening.results.layout import ResultsLayout
from screening.results.rows import read_file, read_in_turn
from screening.results.snapshot import Snapshot, take

MEMORY = "2GB"  # of the database; what is over it goes to temporary files
PIECE_ROWS = 65536

_KEY = "md5_number(object_id)"  # 16 bytes in the place of 32 digits


class Pending:
    """The rows of an index that no committed row of a bundle answers: the anti-join of the design.

    What memory does not hold lies in temporary files, so an index may be larger than it. Each file's ids are read once.
    """

    def __init__(self, layout: ResultsLayout, bundle_digest: str, index_url: str):
        """Read what is answered. Raises ResultsError for a file that is damaged or a copy, and where two rows answer one object."""
        self._index_url = index_url
        self._connection = open_duckdb(index_url, resources=Resources(memory=MEMORY))
        self._read_answers(take(layout, bundle_digest))
        self.rows: int = self._select("count(*)").fetchall()[0][0]

    def newest_first(self, most: int, seal: UrlSeal | None = None) -> Iterator[pa.Table]:
        """Yield the first `most` of them in pieces (INDEX_SCHEMA), in the order of a plan, see `screening.run.plan.newest_first`.

        `seal` opens URLs that are encrypted, for the order alone: members of a container then stay together.
        """
        url = "object_url"
        if seal is not None:
            url = "opened(object_url)"
            self._connection.create_function("opened", _opener(seal), [VARCHAR], VARCHAR, type="arrow")
        order = f"order by object_modified desc nulls last, {url} limit {most}"
        columns = ", ".join(INDEX_SCHEMA.names)
        for batch in self._select(columns, order).to_arrow_reader(PIECE_ROWS):
            yield pa.Table.from_batches([batch]).cast(INDEX_SCHEMA)

    def _select(self, columns: str, order: str = "") -> duckdb.DuckDBPyRelation:
        indexed = f"(select *, {_KEY} as key from read_parquet($index))"
        query = f"select {columns} from {indexed} anti join answer using (key) {order}"
        return self._connection.sql(query, params={"index": self._index_url})

    def _read_answers(self, snapshot: Snapshot) -> None:
        self._connection.execute("create temp table answer (key uhugeint)")
        for table in read_in_turn(snapshot, ["object_id"]):
            self._connection.register("part", table)
            self._connection.execute(f"insert into answer select {_KEY} from part")
            self._connection.unregister("part")
        doubled = self._connection.execute("select key from answer group by key having count(*) > 1 limit 1").fetchall()
        if doubled:
            raise self._doubled(snapshot, doubled[0][0])

    def _doubled(self, snapshot: Snapshot, key: int) -> ResultsError:
        """Return the error that names an object with two rows, and the files of both."""
        urls, found = [], []
        for url in snapshot.urls:
            self._connection.register("part", read_file(snapshot, url, ["object_id"]))
            if rows := self._connection.execute(f"select object_id from part where {_KEY} = $key limit 1", {"key": key}).fetchall():
                urls.append(url)
                found += rows
        return doubled_rows(found[0][0], urls)


def _opener(seal: UrlSeal) -> Callable[[pa.ChunkedArray], pa.Array]:
    def opened(urls: pa.ChunkedArray) -> pa.Array:
        return pa.array([seal.open(url) for url in urls.to_pylist()], pa.string())

    return opened
