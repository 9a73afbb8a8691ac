"""In which precision the networks of a run compute: decided once, before the run is planned, whatever the mix of its machines."""

from pathlib import Path

from screening.run.config import MachineConfig
from screening.run.machine import elsewhere

_CPU_FACTS = Path("/proc/cpuinfo")
_BF16_FEATURES = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux names them, on x86 and on ARM


def decided_dtype(wanted: str, machine: MachineConfig) -> str:
    """Return "bfloat16" or "float32": what was wanted, or what "auto" stands for where the cascade will run.

    The driver loads no torch, so for a CPU of its own it asks the kernel. For GPUs and clusters it asks a worker on each machine that may
    hold an actor, which takes some seconds and as many GPUs as an actor has. It is bfloat16 where all of them compute in it: a night
    whose machines differ would otherwise have rows that differ by the machine that judged them.
    """
    if wanted != "auto":
        return wanted
    if not elsewhere(machine) and (features := _cpu_features()):
        return "bfloat16" if features & _BF16_FEATURES else "float32"
    from screening.run.machines import ask_each

    return "bfloat16" if all(ask_each(machine, _computes_bf16, bool(machine.gpus_per_actor))) else "float32"


def _cpu_features() -> set[str]:
    """Return the features of this machine's first core; empty where the kernel does not tell."""
    try:
        lines = _CPU_FACTS.read_text().splitlines()
    except OSError:
        return set()
    named = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return set(next(named, "").split())


def _computes_bf16(gpu: bool) -> bool:
    from screening.cascade.device import computes_bf16, device_of

    return computes_bf16(device_of("cuda" if gpu else "cpu"))
