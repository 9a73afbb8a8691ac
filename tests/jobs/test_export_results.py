"""`screening export` as a user calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import make_app
from screening.errors import UsageError
from screening.privacy import create_key
from tests.serve.outputs.answers import PNG, dicom_file, results_folder


def called(results: str, *options: str, form: str = "sr") -> Result:
    output = str(Path(results).parent / "out")
    return CliRunner().invoke(make_app(), ["export", results, "--format", form, "--output", output, *options])


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HOME", str(tmp_path))
    return results_folder(tmp_path, {"Doe.dcm": dicom_file(), "picture.png": PNG})


def test_it_prints_counts_and_names_what_could_not_be_written(results: str, tmp_path: Path) -> None:
    answer = called(results, "--where", "outcome = 'scored'")
    assert answer.exit_code == 1
    assert "1 of 2 chosen rows" in answer.stdout
    assert "not written: this file has no DICOM header" in answer.stdout
    assert "Doe" not in answer.output
    assert len(list((tmp_path / "out").iterdir())) == 1
    summary = json.loads(called(results, "--json").stdout)
    assert (summary["rows"], summary["written"], len(summary["refused"])) == (2, 1, 1)


def test_every_form_can_be_asked_for(results: str, tmp_path: Path) -> None:
    for form in ("sr", "seg", "sc", "fhir"):
        assert called(results, "--where", '"Rows" = 300', form=form).exit_code == 0
    assert called(results, "--where", '"Rows" = 300', "--heatmap", "pneumonia", form="sc").exit_code == 0
    assert {path.name.split(".", 2)[2] for path in (tmp_path / "out").iterdir()} == {"sr.dcm", "seg.dcm", "sc.dcm", "fhir.json"}


def test_encrypted_names_are_opened_with_the_key_that_is_named(tmp_path: Path) -> None:
    key = create_key(tmp_path / "key")
    results = results_folder(tmp_path, {"Doe.dcm": dicom_file()}, key=key)
    assert called(results, "--pseudonym-key", str(tmp_path / "key")).exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--where", "nonsense"], "no condition over the view instances"),
        (["--heatmap", "covid"], "--format sc"),
        (["--bundle", "ffff"], "no run of bundle ffff"),
    ],
)
def test_wrong_usage(results: str, options: list[str], message: str) -> None:
    answer = called(results, *options)
    assert isinstance(answer.exception, UsageError)
    assert message in str(answer.exception)


def test_a_folder_without_results(tmp_path: Path) -> None:
    answer = called(str(tmp_path / "nothing"))
    assert isinstance(answer.exception, UsageError)
    assert "no run has written here" in str(answer.exception)
