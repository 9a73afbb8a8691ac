"""Where and in which precision the networks run, and how a CPU process keeps its memory between passes."""

import ctypes
import sys

import torch

from screening.cascade.batch import batch_size_for
from screening.errors import UsageError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "bf16": torch.bfloat16}

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_NEVER = 2**31 - 1


def device_of(name: str) -> torch.device:
    """Return the device that `name` asks for: "auto" is a GPU where there is one. Raises UsageError where it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device {name!r} is not one that torch knows: use auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' was asked for, but torch finds no GPU here: use auto or cpu, or check the driver")
    return device


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """Return the precision that `name` asks for: "auto" is bf16 where the device computes in it, float32 elsewhere."""
    if name == "auto":
        return torch.bfloat16 if computes_bf16(device) else torch.float32
    if name not in DTYPES:
        raise UsageError(f"dtype {name!r} is unknown: use auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def batch_size_of(device: torch.device, dtype: torch.dtype) -> int:
    """Return how many images a forward pass takes unless the caller says otherwise, as `batch_size_for`."""
    return batch_size_for(str(dtype).removeprefix("torch."), gpu=device.type == "cuda")


def computes_bf16(device: torch.device) -> bool:
    """Return whether the device has instructions for bf16 products; others emulate them, slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def use_threads(threads: int) -> None:
    """Compute with so many CPU threads from here on, in this thread and those that begin later. Raises UsageError for less than one."""
    if threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    torch.set_num_threads(threads)


def keep_freed_memory() -> bool:
    """Let this process reuse large blocks of memory, not return and fetch them anew; return whether the C library could.

    A pass over four images frees and fetches hundreds of megabytes, and the kernel clears every page of it: a fifth of the time on
    a CPU. Only glibc has this setting; elsewhere nothing changes but the speed.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, _NEVER)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))
