"""The file of an evaluation's metrics holds numbers and null, never a number that is none."""

import json
from pathlib import Path

import pytest

from train.evaluation.metrics_file import METRICS_FILE, write_metrics


def test_metrics_come_back(tmp_path: Path) -> None:
    metrics = {"splits": {"test": {"auroc": 0.1 + 0.2, "dice": None}}, "unit": "image"}
    write_metrics(str(tmp_path), metrics)
    assert json.loads((tmp_path / METRICS_FILE).read_text()) == metrics


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_not_written(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_metrics(str(tmp_path), {"auroc": number})
    assert not (tmp_path / METRICS_FILE).exists()
