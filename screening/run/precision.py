"""In which precision the networks of a run compute: decided once, before the run is planned, whatever the mix of its machines."""

from pathlib import Path

from screening.run.config import MachineConfig
from screening.run.machine import actors_for, elsewhere

_CPU_FACTS = Path("/proc/cpuinfo")
_BF16_FEATURES = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux names them, on x86 and on ARM


def decided_dtype(wanted: str, machine: MachineConfig) -> str:
    """Return "bfloat16" or "float32": what was wanted, or what "auto" stands for where the cascade will run.

    The driver loads no torch, so for a CPU of its own it asks the kernel. For GPUs and clusters it asks a worker there, which takes
    some seconds and as many GPUs as an actor has.
    """
    if wanted != "auto":
        return wanted
    if not elsewhere(machine) and (features := _cpu_features()):
        return "bfloat16" if features & _BF16_FEATURES else "float32"
    return _ask_a_worker(machine)


def _cpu_features() -> set[str]:
    """Return the features of this machine's first core; empty where the kernel does not tell."""
    try:
        lines = _CPU_FACTS.read_text().splitlines()
    except OSError:
        return set()
    named = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return set(next(named, "").split())


def _ask_a_worker(machine: MachineConfig) -> str:
    import ray

    from screening.run.ray_session import ray_session

    with ray_session(actors=actors_for(machine)):
        return ray.get(ray.remote(_dtype_here).options(num_gpus=machine.gpus_per_actor).remote(bool(machine.gpus_per_actor)))


def _dtype_here(gpu: bool) -> str:
    from screening.cascade.device import computes_bf16, device_of

    return "bfloat16" if computes_bf16(device_of("cuda" if gpu else "cpu")) else "float32"
