"""Starting Ray the way this project wants it, or joining the cluster that is already there."""

import contextlib
import logging
import math
import os
from collections.abc import Iterator

import ray

LOCAL_OBJECT_STORE_BYTES = 1536 * 2**20  # about 20 full shards of pixels

# Set before Ray starts, for its processes inherit them: no usage report leaves the agency; workers run at normal priority on a
# machine that is there for them; waiting OpenMP threads sleep instead of taking a core from the decoders.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_TRAIN_ENABLE_V2": "1",
    "OMP_WAIT_POLICY": "passive",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextlib.contextmanager
def ray_session(*, actors: int = 1) -> Iterator[None]:
    """Run the block with Ray: the cluster that RAY_ADDRESS names, the session that is open already, or a local one that ends with it.

    Args:
        actors: actors that will live beside the decode tasks, so that a local session has a slot for each.
    """
    if ray.is_initialized():
        yield
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
    else:
        slots = (os.cpu_count() or 1) + math.ceil(actors / 2) + 1  # Ray's CPUs are slots, not threads
        ray.init(num_cpus=slots, include_dashboard=False, object_store_memory=LOCAL_OBJECT_STORE_BYTES, **quiet)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
