"""DuckDB over whatever store a URL names, without its httpfs extension: that one is downloaded, and agencies are offline."""

import os

import duckdb

from screening.storage import filesystem_of, is_local


def open_duckdb(*urls: str) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection that reads the stores of `urls` through fsspec, in UTC, with one thread a core."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute("set threads = ?", [max(1, os.cpu_count() or 1)])
    for filesystem in {id(fs): fs for fs, _ in map(filesystem_of, urls)}.values():
        if not is_local(filesystem):
            connection.register_filesystem(filesystem)
    return connection
