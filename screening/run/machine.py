"""What this machine has for a run: its cores, its memory, and how much of a cascade at a time suits them."""

import math
import os
from pathlib import Path

import psutil

from screening.run.config import MachineConfig

CALL_BYTES = 3 * 2**29  # of one call of a cascade on a CPU at 512 pixels
MOST_CALLS = 8  # of one actor: they share one interpreter lock, which each holds a small part of its time
OTHER_BYTES = 4 * 2**30  # of everything else: torch, the networks, Ray, decoders, writers, shards on their way
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def actors_for(machine: MachineConfig) -> int:
    """Return how many cascade actors a run starts: as many as it is told, else as few as `calls_for` permits."""
    return machine.actors or (1 if elsewhere(machine) else math.ceil(_calls_here() / MOST_CALLS))


def calls_for(machine: MachineConfig) -> int:
    """Return how many calls each cascade actor answers at a time, each with `call_threads`.

    On a CPU all actors together answer one call a core, as far as the memory goes. Two threads of one call would wait for each other at
    every layer, and longest when another process has a core. Several actors of one call each are no faster, and each of them starts with
    its own copy of torch. On a GPU an actor answers one call at a time. Of a cluster this machine says nothing: see `machines.resolved`.
    """
    return machine.calls_per_actor or (1 if elsewhere(machine) else max(1, min(MOST_CALLS, _calls_here() // actors_for(machine))))


def elsewhere(machine: MachineConfig) -> bool:
    """Return whether the cascade runs on a GPU or in a cluster, of which this machine's CPU says nothing."""
    return bool(machine.gpus_per_actor) or in_cluster()


def in_cluster() -> bool:
    """Return whether the run is carried out by a Ray cluster that is already there."""
    return bool(os.environ.get("RAY_ADDRESS"))


def _calls_here() -> int:
    return max(1, min(os.cpu_count() or 1, (memory_bytes() - OTHER_BYTES) // CALL_BYTES))


def call_threads(calls: int) -> int:
    """Return how many CPU threads each of so many calls computes with: the cores of the machine divided by the calls."""
    return max(1, (os.cpu_count() or 1) // calls)


def decoders_for(machine: MachineConfig) -> int:
    """Return how many decode tasks a run on one machine has at a time: as many as it is told, else `background_tasks`."""
    return machine.decoders or background_tasks(machine)


def background_tasks(machine: MachineConfig) -> int:
    """Return how many tasks decode, and how many write, at a time beside the cascade of a run on one machine.

    Beside GPUs it is one a core. A cascade on the CPU takes ten times as long over an image as decoding does, so beside it one task for
    four cores keeps up. Each task is a process of 150 MB and more, and its start takes seconds of a core from the actors.
    """
    cores = os.cpu_count() or 1
    return cores if machine.gpus_per_actor else max(1, cores // 4)


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or what its container is limited to."""
    total = psutil.virtual_memory().total
    try:
        return min(total, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no cgroup v2 here, or the limit is "max"
        return total
