"""Devices and precisions by name."""

import sys

import pytest
import torch

from screening.cascade.device import batch_size_of, computes_bf16, device_of, dtype_of, keep_freed_memory
from screening.errors import UsageError

CPU = torch.device("cpu")


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


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_memory_is_kept_and_answers_stay():
    x = torch.randn(3, 5)
    before = x @ x.T
    assert keep_freed_memory() in (True, False)
    assert torch.equal(x @ x.T, before)
