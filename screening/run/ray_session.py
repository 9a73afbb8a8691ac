"""Starting Ray the way this project wants it, or joining the cluster that is already there."""

import contextlib
import logging
import math
import os
import sys
from collections.abc import Iterator
from importlib import import_module

import ray
from ray._private import ray_constants

from screening.openmp import wait_briefly
from screening.run.machine import memory_bytes

OBJECT_STORE_BYTES = 1536 * 2**20  # for each actor of a local session, about 20 full shards of pixels
OBJECT_STORE_SHARE = 0.2  # of the memory at most: Ray leaves shared memory for the disk where the store does not fit

ENVIRONMENT = {  # set before Ray starts, because its processes inherit it; on the machines of a cluster by deploy/cluster/ray.env
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage report leaves the agency
    "RAY_worker_niceness": "0",  # workers run at normal priority, because the machine is there for them
    "RAY_TRAIN_ENABLE_V2": "1",
    # glibc returns memory that was freed in secondary arenas to the kernel at once. The cascade runs off the main thread and would fault
    # its buffers in again at every layer.
    "MALLOC_ARENA_MAX": "1",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_PARQUET_FOOTER_NUM_ACTORS": "1",  # else every reading of Parquet starts up to 32 processes, for footers of some hundred files
    "RAY_preload_python_modules": "ray.data",  # every worker of ours needs it: it is imported before there is work, not after
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else each actor pool prints an error that is none (ray issue 53727)
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextlib.contextmanager
def ray_session(*, actors: int = 1) -> Iterator[None]:
    """Run the block with Ray: the cluster that RAY_ADDRESS names, the session that is open already, or a local one that ends with it.

    Args:
        actors: actors that will live beside the decode tasks, so that a local session has a slot and shared memory for each.
    """
    if ray.is_initialized():
        yield
        return
    wait_briefly()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    options = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # a process a training, where nobody takes the machine away
        slots = (os.cpu_count() or 1) + math.ceil(actors / 2) + 1  # Ray's CPUs are slots, not threads
        store = min(actors * OBJECT_STORE_BYTES, int(OBJECT_STORE_SHARE * memory_bytes()))
        options |= {"num_cpus": slots, "include_dashboard": False, "object_store_memory": store}
        # Ray warns of worker processes by the number that may start at once: as many as there are slots, not cores
        options |= {"_system_config": {"worker_maximum_startup_concurrency": slots}}
        # Else Ray's processes listen on every interface, and whoever reaches one of their ports can run code here. On a Mac Ray is on
        # loopback alone; this is what the variable RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER sets, but only before ray is imported.
        ray_constants.ENABLE_RAY_CLUSTER = False
    with _silent_stderr():  # what matters is raised
        ray.init(**options)
    import_module("ray.data")  # now, while Ray's workers begin; the import sets a log level of its own, so before ours
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr meanwhile: Ray's core announces its own log level there."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
