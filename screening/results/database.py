"""DuckDB over whatever store a URL names, without its httpfs extension: that one is downloaded, and agencies are offline."""

import os
import tempfile
from dataclasses import dataclass

import duckdb

from screening.storage import filesystem_of, is_local


@dataclass(frozen=True)
class Resources:
    """What a connection may use. What does not fit into its memory goes to files, which end with the connection."""

    threads: int | None = None  # None takes one a core
    memory: str | None = None  # as DuckDB writes it, "4GB"; None takes 80 % of the machine's
    temporary: str | None = None  # folder; None makes one where the system keeps its temporary files


def open_duckdb(*urls: str, resources: Resources | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection that reads the stores of `urls` through fsspec, in UTC."""
    resources = resources or Resources()
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute("set threads = ?", [resources.threads or max(1, os.cpu_count() or 1)])
    # DuckDB spills into the working directory unless it is told, and two processes there would take each other's files
    temporary = resources.temporary or os.path.join(tempfile.gettempdir(), f"duckdb-{os.getpid()}-{id(connection):x}")
    connection.execute("set temp_directory = ?", [temporary])  # before the limit: what is over it goes there at once
    if resources.memory:
        connection.execute("set memory_limit = ?", [resources.memory])
    for filesystem in {id(fs): fs for fs, _ in map(filesystem_of, urls)}.values():
        if not is_local(filesystem):
            connection.register_filesystem(filesystem)
    return connection
