"""The precision of a run: what the driver reads from the kernel is what torch says, and what a worker says."""

from pathlib import Path

import pytest
import torch

from screening.cascade.device import computes_bf16
from screening.run import precision
from screening.run.config import MachineConfig
from screening.run.precision import decided_dtype

HERE = "bfloat16" if computes_bf16(torch.device("cpu")) else "float32"


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.parametrize("wanted", ["bfloat16", "float32"])
def test_what_was_asked_for_is_what_it_is(wanted: str) -> None:
    assert decided_dtype(wanted, MachineConfig()) == wanted
    assert decided_dtype(wanted, MachineConfig(gpus_per_actor=1)) == wanted


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="this kernel has no /proc/cpuinfo")
def test_the_kernel_says_of_this_cpu_what_torch_says() -> None:
    assert decided_dtype("auto", MachineConfig()) == HERE


@pytest.mark.parametrize(
    ("facts", "dtype"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f\n", "float32"),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\n", "bfloat16"),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile\n", "bfloat16"),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", "bfloat16"),
        ("processor\t: 0\nFeatures\t: fp asimd i8mm\n", "float32"),
    ],
)
def test_what_kernels_call_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, facts: str, dtype: str) -> None:
    (tmp_path / "cpuinfo").write_text(facts)
    monkeypatch.setattr(precision, "_CPU_FACTS", tmp_path / "cpuinfo")
    assert decided_dtype("auto", MachineConfig()) == dtype


@pytest.mark.usefixtures("ray_cluster")
def test_where_the_kernel_does_not_tell_a_worker_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(precision, "_CPU_FACTS", tmp_path / "nothing")
    assert decided_dtype("auto", MachineConfig()) == HERE
