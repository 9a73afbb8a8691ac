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
    assert json.loads(answer.stdout) == {"rows": 2, "people": 1, "dropped_columns": ["Name"], "output": str(output)}
    assert set(pq.read_table(output)["patient_pseudonym"].to_pylist()) == {Pseudonymizer(key).pseudonym("01", "PatientID")}


def test_faults_end_with_their_exit_code(tmp_path: Path):
    create_key(tmp_path / "key")
    table = tmp_path / "registry.csv"
    assert _run(table, "--output", tmp_path / "out.parquet", "--key", tmp_path / "key").returncode == 2
    table.write_text("PatientID,result\n01,who knows\n")
    answer = _run(table, "--output", tmp_path / "out.parquet", "--key", tmp_path / "key")
    assert answer.returncode == 1
    assert "row 1" in answer.stderr
    assert not (tmp_path / "out.parquet").exists()
