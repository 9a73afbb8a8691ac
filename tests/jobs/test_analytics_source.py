"""What every command of analytics does with its source: the match of persons, and text files of another make."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from jobs import choose_thresholds, measure_accuracy, measure_lead_time, monitor_results, write_report
from jobs.console import run
from screening.errors import ReferenceTableError
from tests.screening.instance_rows import instance_row, pneumonia_row, reference_of, write_instances

COMMANDS = {
    "accuracy": measure_accuracy.command,
    "lead-time": measure_lead_time.command,
    "thresholds": choose_thresholds.command,
    "report": write_report.command,
    "monitor": monitor_results.command,
}
app = typer.Typer(add_completion=False)
for name, command in COMMANDS.items():
    app.command(name)(command)


@pytest.fixture
def results(tmp_path: Path) -> str:
    """Radiographs of ten persons."""
    write_instances(str(tmp_path / "results"), [pneumonia_row(1, covid=True), *(instance_row(number) for number in range(2, 11))])
    return str(tmp_path / "results")


def ask(name: str, folder: str, reference: Path, *further: str) -> Result:
    quick = {"accuracy": ["--replicates", "0"], "report": ["--output", f"{folder}.html", "--gallery", "0"]}
    return CliRunner().invoke(app, [name, folder, "--reference", str(reference), *quick.get(name, []), *further])


def reference_in(folder: Path, *numbers: int) -> Path:
    path = folder / "reference.parquet"
    pq.write_table(reference_of(*((number, "positive" if number == 1 else "negative", 0) for number in numbers)), path)
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_answer_says_whom_table_and_radiographs_have_in_common(results: str, tmp_path: Path, name: str) -> None:
    reference = reference_in(tmp_path, 1, 2, 11, 12, 13)
    answer = ask(name, results, reference)
    assert answer.exit_code == 0, answer.output + str(answer.exception)
    words = " ".join(answer.stdout.split())
    assert "Persons of the reference standard: 5, of whom 2 (40.0%) have a radiograph and 3 have none." in words
    assert "Persons with a radiograph: 10, of whom 2 have a reference test and 8 have none." in words
    assert "warning: fewer than 50% of the persons" in answer.stderr
    match = json.loads(ask(name, results, reference, "--json").stdout)["match"]
    assert (match["with_radiograph"], match["without_radiograph"], match["without_test"]) == (2, 3, 8)
    assert "fewer than 50%" in match["warning"]
    if name == "report":
        page = " ".join(Path(f"{results}.html").read_text().split())
        assert "of whom 2 (40.0%) have a radiograph and 3 have none" in page
        assert "Warning: fewer than 50%" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_nobody_in_common_fails_with_what_to_check(results: str, tmp_path: Path, name: str) -> None:
    answer = ask(name, results, reference_in(tmp_path, 98, 99))
    if name == "monitor":  # the other limits are judged all the same
        assert answer.exit_code == 0
        assert "warning: none of the 2 persons of the reference table has a radiograph" in answer.stderr
    else:
        assert isinstance(answer.exception, ReferenceTableError)
        assert "`screening pseudonymize TABLE --key FILE`" in str(answer.exception)
        assert not Path(f"{results}.html").exists()


def test_an_error_of_a_table_exits_1(results: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failing = typer.Typer(add_completion=False)
    failing.command()(lambda: measure_accuracy.command(results, str(reference_in(tmp_path, 98)), replicates=0))
    with pytest.raises(SystemExit) as end:
        run(lambda: failing(args=[], standalone_mode=False))
    assert end.value.code == 1
    assert "error: none of the 1 persons" in capsys.readouterr().err


def test_tables_of_another_make_are_read_or_refused_in_one_line(results: str, tmp_path: Path) -> None:
    reference = tmp_path / "reference.csv"
    text = f"patient_pseudonym;symptom_onset_date;採檢日;result_date;result;reading\n{1:032x};;109/03/01;;陽性;\n"
    reference.write_text(text, "big5")
    options = ["--column", "specimen_date=採檢日", "--encoding", "big5", "--delimiter", ";"]
    assert json.loads(ask("accuracy", results, reference, *options, "--json").stdout)["accuracy"][0]["tp"] == 1
    for fewer, remedy in ((0, "give --encoding"), (4, "--delimiter ';'")):
        refused = ask("accuracy", results, reference, *options[:fewer])
        assert isinstance(refused.exception, ReferenceTableError)
        assert remedy in str(refused.exception)
