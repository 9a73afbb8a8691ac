"""Devices and precisions by name."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from screening.cascade.device import batch_size_of, computes_bf16, device_of, dtype_of, use_threads
from screening.errors import UsageError

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[3]


def test_devices():
    assert device_of("cpu") == CPU
    assert device_of("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match="'abacus'"):
        device_of("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there():
    with pytest.raises(UsageError, match="no GPU"):
        device_of("cuda:1")


def test_precisions():
    assert dtype_of("float32", CPU) == torch.float32
    assert dtype_of("bf16", CPU) == dtype_of("bfloat16", CPU) == torch.bfloat16
    assert dtype_of("auto", CPU) == (torch.bfloat16 if computes_bf16(CPU) else torch.float32)
    with pytest.raises(UsageError, match="'float16'"):
        dtype_of("float16", CPU)


def test_batch_sizes():
    assert batch_size_of(CPU, torch.float32) == 1
    assert batch_size_of(CPU, torch.bfloat16) == 4
    assert batch_size_of(torch.device("cuda"), torch.bfloat16) == 64


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx512_f": True, "avx512_bf16": False}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"bf16": True}, True)],
)
def test_bf16_needs_its_own_instructions(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert computes_bf16(CPU) is expected


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is a setting of glibc")
def test_large_blocks_that_are_freed_stay_with_the_process():
    """In a process of its own, because the setting stays: after a block is freed its memory is still resident."""
    code = """
import numpy as np, psutil
from screening.cascade.device import keep_freed_memory
def resident(): return psutil.Process().memory_info().rss
assert keep_freed_memory()
block = np.ones(64 << 17)  # 64 MiB
held = resident()
del block
print(held - resident())
"""
    released = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120).stdout)
    assert released < 16 << 20


def test_threads_are_those_asked_for():
    before = torch.get_num_threads()
    try:
        use_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        use_threads(before)
    with pytest.raises(UsageError, match="at least 1, not 0"):
        use_threads(0)
