"""`screening shadow`: what it prints of a record, and what it refuses before anything is started."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import shadow_candidate
from jobs.console import out
from tests.programs import in_process
from tests.registry import RATE, RECORD


def test_the_comparison_is_printed_with_its_intervals() -> None:
    area = RATE.model_copy(update={"candidate": 0.91, "current": 0.93, "difference": -0.02, "low": None, "high": None, "p": None, "n": 80})
    with out.capture() as printed:
        shadow_candidate.print_record(RECORD.model_copy(update={"auroc": area, "reference": "r.parquet"}), "results/shadow/s")
    shown = " ".join(printed.get().split())
    for words in ("100 of 100 radiographs with a definite RT-PCR result", "0.740", "+0.200 (n = 100)", "+0.100 (+0.050 to +0.150)"):
        assert words in shown
    assert "auroc, by person 0.910 0.930 -0.020 80" in shown.replace("│", "")
    assert "matches the current positive rate at stage 3: 0.4000" in shown
    assert "written to results/shadow/s" in shown


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command line in this process, and gives what it says where it refuses."""
    program = in_process(monkeypatch, capsys)

    def run(*arguments: str) -> str:
        code, _, err = program(*arguments)
        assert code == 2
        return " ".join(err.split())

    return run


def test_wrong_usage_is_told_at_once(refusal: Callable[..., str], tmp_path: Path) -> None:
    assert "no run has written here" in refusal("shadow", str(tmp_path), "1234")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/x").touch()
    assert "--reference" in refusal("shadow", str(tmp_path), "1234", "--reference", str(tmp_path / "none.csv"))
    assert "--images" in refusal("shadow", str(tmp_path), "1234", "--images", "0")
