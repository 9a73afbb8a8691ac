"""`screening sites`: for people and as JSON."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from jobs import measure_sites
from screening.errors import UsageError
from tests.screening.instance_rows import write_instances
from tests.screening.report.screened import reference_of_people, rows_of_people

app = typer.Typer(add_completion=False)
app.command()(measure_sites.command)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments that name results and a reference table."""
    folder: Path = tmp_path_factory.mktemp("sites")
    rows = [row | {"InstitutionName": ["North", "South", "East", "West"][number % 4]} for number, row in enumerate(rows_of_people(120))]
    write_instances(str(folder / "results"), rows)
    pq.write_table(reference_of_people(120), folder / "reference.parquet")
    return [str(folder / "results"), "--reference", str(folder / "reference.parquet")]


def test_people_read_what_programs_read(source: list[str]):
    answer = json.loads(CliRunner().invoke(app, [*source, "--json"]).stdout)
    assert [(row["question"], row["measure"]) for row in answer["random_effects"]][:2] == [
        ("covid", "sensitivity"),
        ("covid", "specificity"),
    ]
    printed = " ".join(CliRunner().invoke(app, source).stdout.split())
    for row in answer["random_effects"]:
        assert f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in printed
        assert f"{row['prediction_low']:.3f} to {row['prediction_high']:.3f}" in printed
    for row in answer["calibration"]:
        assert f"{row['intercept']:.2f}" in printed
    assert "REML on logits; Hartung and Knapp" in printed


def test_other_groups_and_wrong_usage(source: list[str]):
    printed = " ".join(CliRunner().invoke(app, [*source, "--by", "sex", "--min-cell", "100"]).stdout.split())
    assert "By sex (fewer than 100 units of a kind are suppressed)" in printed
    assert "Random effects" not in printed, "nothing is left to pool"
    assert isinstance(CliRunner().invoke(app, [*source, "--by", "age"]).exception, UsageError)
