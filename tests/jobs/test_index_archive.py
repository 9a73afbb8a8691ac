"""`screening index`."""

import io
import json
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from jobs.index_archive import command
from schemas.index import INDEX_SCHEMA
from screening.errors import ArchiveError
from screening.storage import put_atomic, read_bytes
from tests.inventories import csv_file, rows_of, write_inventory

app = typer.Typer(add_completion=False)
app.command()(command)
runner = CliRunner()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two plain files and a zip file with one member."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(b"12345")
    (folder / "b.dcm").write_bytes(b"123")
    with zipfile.ZipFile(folder / "c.zip", "w") as container:
        container.writestr("d.dcm", b"12")
    return folder


def test_counts_by_kind(archive: Path):
    answer = runner.invoke(app, [str(archive), "--json"])
    assert json.loads(answer.stdout) == {
        "archive": str(archive),
        "objects": 3,
        "bytes": 10,
        "kinds": {"plain": {"objects": 2, "bytes": 8}, "zip": {"objects": 1, "bytes": 2}, "tar": {"objects": 0, "bytes": 0}},
        "output": None,
    }
    assert "plain" in runner.invoke(app, [str(archive)]).stdout


def test_the_index_as_parquet(archive: Path, tmp_path: Path):
    answer = runner.invoke(app, [str(archive), "--output", str(tmp_path / "index.parquet"), "--limit", "2"])
    assert answer.exit_code == 0
    table = pq.read_table(tmp_path / "index.parquet")
    assert table.num_rows == 2
    assert table.schema.equals(INDEX_SCHEMA, check_metadata=True)


def test_an_inventory_in_the_place_of_a_listing(s3_bucket: str):
    for key in ("cxr/a.dcm", "cxr/b.dcm"):
        put_atomic(f"{s3_bucket}/{key}", b"12345")
    inventory = write_inventory(s3_bucket, f"{s3_bucket}/lists", [csv_file(rows_of(s3_bucket)[:1])], "CSV")
    answer = runner.invoke(app, [f"{s3_bucket}/cxr", "--inventory", inventory, "--output", f"{s3_bucket}/index.parquet", "--json"])
    assert json.loads(answer.stdout)["objects"] == 1
    assert pq.read_table(io.BytesIO(read_bytes(f"{s3_bucket}/index.parquet")))["object_url"].to_pylist() == [f"{s3_bucket}/cxr/a.dcm"]


def test_an_archive_that_is_not_there(tmp_path: Path):
    answer = runner.invoke(app, [str(tmp_path / "none")])
    assert isinstance(answer.exception, ArchiveError)
