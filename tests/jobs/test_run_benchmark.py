import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.dicom.writer import TRANSFER_SYNTAXES
from screening.errors import UsageError
from screening.metrics import Area, AreaDifference
from train.forgetting import Sweep

runner = CliRunner()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list:
    """What `train.forgetting.sweep`, which is shown elsewhere, was asked for, and what was said between its models."""
    calls = []
    monkeypatch.setattr("jobs.display.Steps.say", lambda steps, text: calls.append(text))

    def sweep(weights: list[float], *, epochs: int) -> Iterator[Sweep]:
        calls.append((weights, epochs))
        old, lost = Area(0.9, 0.85, 0.95, 9, 9), AreaDifference(0.9, 0.8, 0.1, 0.05, 0.15, 0.01, 9, 9)
        yield Sweep("earlier", old, None, old, 3)
        calls.append("the second model is trained")
        yield Sweep("lambda 0", old, lost, Area(0.7, None, None, 1, 9), 2)

    monkeypatch.setattr("train.forgetting.sweep", sweep)
    return calls


def test_forgetting_is_a_row_a_model(asked: list) -> None:
    result = runner.invoke(make_app(), ["benchmark", "forgetting", "--distill-weights", "0,1.5", "--epochs", "3", "--json"])
    assert result.exit_code == 0, result.output
    assert asked[0] == ([0.0, 1.5], 3)
    [earlier, later] = json.loads(result.stdout)["forgetting"]
    assert (earlier["model"], earlier["lost"], later["lost"]) == ("earlier", "", "0.100 (0.050 to 0.150)")
    assert later["new task AUROC"] == "0.700"


def test_a_measurement_is_said_as_it_is_made(asked: list) -> None:
    assert runner.invoke(make_app(), ["benchmark", "forgetting"]).exit_code == 0
    said = [line for line in asked[1:] if line.startswith(("forgetting: model", "the second"))]
    assert [line[:24] for line in said] == ["forgetting: model earlie", "the second model is trai", "forgetting: model lambda"]
    assert "old task AUROC 0.900 (0.850 to 0.950)" in said[0]


def test_decoding_is_a_row_a_transfer_syntax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.benchmark.decode.ROWS", 128)
    monkeypatch.setattr("screening.benchmark.decode.COLUMNS", 96)
    result = runner.invoke(make_app(), ["benchmark", "decode", "--repeats", "1", "--json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["decode"]
    assert [row["transfer syntax"] for row in rows] == list(TRANSFER_SYNTAXES)
    assert result.stderr.count("decode: transfer syntax ") == len(rows)


def test_weights_are_numbers() -> None:
    result = runner.invoke(make_app(), ["benchmark", "forgetting", "--distill-weights", "0;1"])
    assert isinstance(result.exception, UsageError)
    assert "numbers with commas" in str(result.exception)
