"""What this machine has for a run: its cores, its memory, and how many cascade actors suit them."""

import os
from pathlib import Path

import psutil

from screening.run_config import RunConfig

ROWS_AN_ACTOR = 128  # fewer do not pay for the seconds in which another actor starts
ACTOR_BYTES = 2 * 2**30  # of an actor on a CPU at 512 pixels, 1.4 GB were seen
OTHER_BYTES = 4 * 2**30  # of everything beside the actors: Ray, decoders, writers, shards on their way
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def actors_for(config: RunConfig, rows: int) -> int:
    """Return how many cascade actors a run over `rows` rows starts: as many as it is told.

    Else on a CPU one a core, as far as rows and memory go: the two threads of one actor wait for each other at every layer, and longest
    when another process has a core. On GPUs and in a cluster one, for they are another machine's matter.

    `rows` are those of the plan, not those that are left of it: float32 scores may differ in the last bit by the threads of an actor, and
    a resumed run ends as it began.
    """
    if config.actors is not None:
        return config.actors
    if config.gpus_per_actor or os.environ.get("RAY_ADDRESS"):
        return 1
    by_memory = (memory_bytes() - OTHER_BYTES) // ACTOR_BYTES
    return max(1, min(os.cpu_count() or 1, rows // ROWS_AN_ACTOR, by_memory))


def actor_threads(actors: int) -> int:
    """Return how many CPU threads an actor computes with: the cores of the machine divided by the actors."""
    return max(1, (os.cpu_count() or 1) // actors)


def decoders_for(config: RunConfig) -> int:
    """Return how many decode tasks a run on one machine has at a time: as many as it is told, else `background_tasks`."""
    return config.decoders or background_tasks(config)


def background_tasks(config: RunConfig) -> int:
    """Return how many tasks that decode, and how many that write, a run on one machine has at a time beside its cascade.

    A core each beside GPUs. Beside a cascade on the CPU, which takes ten times as long over an image, one for four cores: each is a
    process of 150 MB and more, and takes seconds of a core from the actors as it starts.
    """
    cores = os.cpu_count() or 1
    return cores if config.gpus_per_actor else max(1, cores // 4)


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or what its container is limited to."""
    total = psutil.virtual_memory().total
    try:
        return min(total, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no cgroup v2 here, or the limit is "max"
        return total
