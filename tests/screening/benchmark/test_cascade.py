"""The benchmark's rows, on a tiny bundle."""

from pathlib import Path

import torch

from screening.benchmark.cascade import cascade_benchmark
from screening.cascade.device import computes_bf16
from tests.screening.small_bundle import save_small_bundle
from tests.told import Told


def test_a_row_for_each_stage_and_precision(tmp_path: Path):
    save_small_bundle(tmp_path)
    told = Told()
    rows = list(cascade_benchmark(str(tmp_path), images=2, device="cpu", repeats=1, on_progress=told))
    expected = [("lungs", "float32"), ("pneumonia", "float32"), ("covid", "float32"), ("guided", "float32")]
    if computes_bf16(torch.device("cpu")):
        expected += [("lungs", "bfloat16"), ("pneumonia", "bfloat16"), ("covid", "bfloat16")]
    assert [(row.stage, row.dtype) for row in rows] == expected
    assert all(row.milliseconds > 0 for row in rows)
    assert rows[0].network == "unet 64"
    assert rows[2].network == "densenet 96"
    assert told.ended == {"stages": (len(rows), len(rows))}
