"""Rows chosen by a condition in SQL that somebody wrote: it can read the results, and nothing else, and change nothing."""

from collections.abc import Iterator

import duckdb

from screening.analytics.confined_sql import confine
from screening.analytics.views import ViewRow
from screening.errors import UsageError

_ROWS_AT_ONCE = 1024


def rows_where(connection: duckdb.DuckDBPyConnection, condition: str) -> Iterator[ViewRow]:
    """Yield the rows of the view `instances` for which a condition holds, in the order of object_id.

    The condition is parsed as one expression, so that it holds no further statement; and the connection, which is that of
    `screening.analytics.views.connect`, loses the right to open any file but the parts of the results and to change its settings.
    Raises UsageError, which quotes the condition, where it is no expression over the columns of the view.
    """
    confine(connection)
    try:
        chosen = connection.table("instances").filter(duckdb.SQLExpression(condition)).order("object_id")
        reader = chosen.to_arrow_reader(_ROWS_AT_ONCE)
        for batch in reader:
            yield from batch.to_pylist()
    except duckdb.Error as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"--where {condition!r} is no condition over the view instances ({first}): write one expression that is true or false, "
            'e.g. --where "covid_positive and counts"; `screening sql` lists the columns with .columns instances'
        ) from None
