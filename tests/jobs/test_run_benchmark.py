import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.errors import UsageError
from screening.metrics import Area, AreaDifference
from train.forgetting import Sweep

runner = CliRunner()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list:
    """What `train.forgetting.sweep`, which is shown elsewhere, was asked for."""
    calls = []

    def sweep(weights: list[float], *, epochs: int) -> list[Sweep]:
        calls.append((weights, epochs))
        old, lost = Area(0.9, 0.85, 0.95, 9, 9), AreaDifference(0.9, 0.8, 0.1, 0.05, 0.15, 0.01, 9, 9)
        return [Sweep("earlier", old, None, old, 3), Sweep("lambda 0", old, lost, Area(0.7, None, None, 1, 9), 2)]

    monkeypatch.setattr("train.forgetting.sweep", sweep)
    return calls


def test_forgetting_is_a_row_a_model(asked: list) -> None:
    result = runner.invoke(make_app(), ["benchmark", "forgetting", "--distill-weights", "0,1.5", "--epochs", "3", "--json"])
    assert result.exit_code == 0, result.output
    assert asked == [([0.0, 1.5], 3)]
    assert '"lost": "0.100 (0.050 to 0.150)"' in result.stdout
    assert '"new task AUROC": "0.700"' in result.stdout


def test_weights_are_numbers() -> None:
    result = runner.invoke(make_app(), ["benchmark", "forgetting", "--distill-weights", "0;1"])
    assert isinstance(result.exception, UsageError)
    assert "numbers with commas" in str(result.exception)
