import os
from pathlib import Path

import pytest

from screening.results.database import Resources, open_duckdb


def test_what_does_not_fit_goes_to_the_folder_and_ends_with_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "spill"
    with open_duckdb(resources=Resources(threads=1, memory="64MB", temporary=str(folder))) as connection:
        connection.execute("create table kept as select range as i, hash(range)::varchar as text from range(3_000_000)")
        assert sum(file.stat().st_size for file in folder.iterdir()) > 1e6
        assert connection.sql("select count(distinct text) from kept").fetchall() == [(3_000_000,)]
    assert os.listdir(tmp_path) in ([], ["spill"])
    assert not list(tmp_path.rglob("*.tmp"))


def test_two_connections_do_not_share_a_folder() -> None:
    with open_duckdb() as one, open_duckdb() as other:
        folders = {connection.sql("select current_setting('temp_directory')").fetchall()[0][0] for connection in (one, other)}
        threads = one.sql("select current_setting('threads')").fetchall()
    assert len(folders) == 2
    assert threads == [(os.cpu_count(),)]
