"""`screening pseudonymize` as a program of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from jobs.pseudonymize_table import UNDATED
from screening.privacy import Pseudonymizer, create_key


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.pseudonymize_table", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_table_is_made_and_linked_by_the_key(tmp_path: Path):
    key = create_key(tmp_path / "key")
    table, output = tmp_path / "registry.csv", tmp_path / "reference.parquet"
    table.write_text("PatientID,Name,result\n01,Doe,positive\n01,Doe,negative\n")
    answer = _run(table, "--output", output, "--key", tmp_path / "key", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "rows": 2,
        "people": 1,
        "columns": {"PatientID": "PatientID", "result": "result"},
        "dropped_columns": ["Name"],
        "warning": UNDATED,
        "withheld": {},
        "output": str(output),
    }
    assert set(pq.read_table(output)["patient_pseudonym"].to_pylist()) == {Pseudonymizer(key).pseudonym("01", "PatientID")}


def test_faults_end_with_their_exit_code(tmp_path: Path):
    create_key(tmp_path / "key")
    table = tmp_path / "registry.csv"
    assert _run(table, "--output", tmp_path / "out.parquet", "--key", tmp_path / "key").returncode == 2
    table.write_text("PatientID,result\n01,positive\n,negative\n")
    answer = _run(table, "--output", tmp_path / "out.parquet", "--key", tmp_path / "key")
    assert answer.returncode == 1
    assert "1 rows: 2" in answer.stderr
    assert not (tmp_path / "out.parquet").exists()


def test_cells_that_mean_nothing_are_withheld_and_counted(tmp_path: Path):
    create_key(tmp_path / "key")
    (tmp_path / "registry.csv").write_text("PatientID,result\n01,Doe^Jane\n02,positive\n")
    answer = _run(tmp_path / "registry.csv", "--output", tmp_path / "out.parquet", "--key", tmp_path / "key")
    assert answer.returncode == 0, answer.stderr
    assert "1 of result" in answer.stdout
    assert "warning: no column with the day of a test was found" in answer.stderr
    assert "doe" not in str(pq.read_table(tmp_path / "out.parquet").to_pydict()).lower()


def test_columns_and_text_of_another_make(tmp_path: Path):
    create_key(tmp_path / "key")
    table, output = tmp_path / "registry.csv", tmp_path / "out.parquet"
    table.write_text("chart;day;採檢日;result\n01;x;109/03/04;陽性\n", "big5")
    options = ("--key", tmp_path / "key", "--id-column", "chart", "--column", "reading=day")
    refused = _run(table, "--output", output, *options)
    assert (refused.returncode, "--encoding" in refused.stderr, "Traceback" in refused.stderr) == (1, True, False)
    refused = _run(table, "--output", output, *options, "--encoding", "big5")
    assert (refused.returncode, "--delimiter ';'" in refused.stderr) == (1, True)
    answer = _run(table, "--output", output, *options, "--encoding", "big5", "--delimiter", ";")
    assert answer.returncode == 0, answer.stderr
    assert "columns taken: PatientID from chart, specimen_date from 採檢日, result from result, reading from day" in answer.stdout
    assert pq.read_table(output)["specimen_date"].to_pylist() == ["109/03/04"]
