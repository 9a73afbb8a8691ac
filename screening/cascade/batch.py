"""How many images a forward pass takes. Imports no torch, because the driver of a run decides it before anything else."""

CPU_BATCH = {"float32": 1, "bfloat16": 4}  # more is slower: the maps of a batch leave the caches
GPU_BATCH = 64


def batch_size_for(dtype: str, *, gpu: bool) -> int:
    """Return how many images a forward pass in "float32" or "bfloat16" takes unless the caller says otherwise.

    On a CPU in float32 it is one: a batch gains nothing there, and its convolutions may differ in the last bit by batch size, which
    those in bf16 were not seen to do.
    """
    return GPU_BATCH if gpu else CPU_BATCH[dtype]
