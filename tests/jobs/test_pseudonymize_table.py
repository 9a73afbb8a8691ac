"""`screening pseudonymize` as a program of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

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
    assert json.loads(answer.stdout) == {"rows": 2, "people": 1, "dropped_columns": ["Name"], "withheld": {}, "output": str(output)}
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
    assert "doe" not in str(pq.read_table(tmp_path / "out.parquet").to_pydict()).lower()
