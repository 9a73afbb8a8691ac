"""The decode benchmark measures every transfer syntax."""

import pytest

from screening.benchmark.decode import decode_benchmark
from screening.dicom.encoders import TRANSFER_SYNTAXES


def test_benchmark_covers_every_transfer_syntax(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("screening.benchmark.decode.ROWS", 640)
    monkeypatch.setattr("screening.benchmark.decode.COLUMNS", 512)
    rows = list(decode_benchmark(repeats=1))
    assert [row.transfer_syntax for row in rows] == list(TRANSFER_SYNTAXES)
    assert all(row.our_ms > 0 for row in rows)
    assert {row.transfer_syntax: row.bits for row in rows} | {"jpeg_baseline": 8, "jpeg_extended": 12} == {
        row.transfer_syntax: row.bits for row in rows
    }
