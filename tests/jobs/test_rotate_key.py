"""`screening rotate-key`: the pairs link results of an earlier key with those of a new one, and name nobody."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.errors import UsageError
from screening.privacy import KEY_FILE_VARIABLE, KEY_VARIABLE, Pseudonymizer, create_key


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two persons, and the keys of two years."""
    for variable in (KEY_FILE_VARIABLE, KEY_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    for year in (2020, 2021):
        create_key(tmp_path / f"{year}.key")
    file = tmp_path / "people.csv"
    file.write_text("PatientID,town\nA-17,x\nB-18,y\n")
    return file


def rotate(*arguments: str) -> str:
    answer = CliRunner().invoke(make_app(), ["rotate-key", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stdout


def test_pairs_are_written(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, keys = people.parent, [(people.parent / f"{year}.key").read_bytes().strip() for year in (2020, 2021)]
    options = [str(people), "--earlier-key", f"{folder}/2020.key", "--output", f"{folder}/pairs.parquet"]
    assert "2 people: key" in rotate(*options, "--key", f"{folder}/2021.key")
    pairs = {row["earlier_pseudonym"]: row["patient_pseudonym"] for row in pq.read_table(folder / "pairs.parquet").to_pylist()}
    earlier, later = (Pseudonymizer(key).pseudonym("A-17", "PatientID") for key in keys)
    assert pairs[earlier] == later
    assert b"A-17" not in (folder / "pairs.parquet").read_bytes()
    monkeypatch.setenv(KEY_VARIABLE, keys[1].decode())
    said = json.loads(rotate(*options, "--json"))
    assert (said["people"], said["output"]) == (2, f"{folder}/pairs.parquet")


def test_a_table_that_is_missing_is_named(people: Path) -> None:
    folder = people.parent
    with pytest.raises(UsageError, match="does not exist"):
        rotate(
            f"{folder}/none.csv", "--earlier-key", f"{folder}/2020.key", "--key", f"{folder}/2021.key", "--output", f"{folder}/p.parquet"
        )
