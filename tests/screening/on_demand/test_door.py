"""The door for Python: its examples run as they stand, and it is light until it is opened."""

import doctest
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import screening
from schemas.instance import INSTANCE_SCHEMA
from screening.bundle.released import BUNDLES
from screening.on_demand import door
from tests.archives import phantom_dicom

ROW = {
    "bundle_digest": "0" * 64,
    "screen_date": "2020-03-01",
    "shard_id": "s",
    "object_id": "1",
    "object_url": "file:///archive/chest.dcm",
    "object_bytes": 1,
    "object_etag": "1",
    "outcome": "scored",
    "stage_reached": "pneumonia",
}


def write_results(folder: Path) -> None:
    """Write a results folder of one row."""
    import datetime as dt

    import pyarrow as pa

    part = folder / "instances" / "bundle=000000000000" / "screen_date=2020-03-01" / "part-s.parquet"
    part.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([ROW | {"screen_date": dt.date(2020, 3, 1)}], schema=INSTANCE_SCHEMA), part)


@pytest.mark.parametrize("name", screening.__all__)
def test_its_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundles").symlink_to(BUNDLES)
    (tmp_path / "chest.dcm").write_bytes(phantom_dicom(1, "covid", 512))
    write_results(tmp_path / "results")
    function = getattr(screening, name)
    assert function is getattr(door, name)
    examples = doctest.DocTestFinder(recurse=False).find(function, name, module=door)
    runner = doctest.DocTestRunner()
    for example in examples:
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.tries >= 3


def test_to_import_it_loads_nothing_heavy() -> None:
    code = "import screening, sys; screening.score; print(sorted({'torch', 'ray', 'duckdb', 'numpy', 'scipy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        screening.nothing  # noqa: B018
