"""Starting Ray while torch is imported: each takes seconds, and Ray mostly waits for its own processes meanwhile."""

import contextlib
import sys
from collections.abc import Iterator
from importlib import import_module
from threading import Thread

from screening.machine import actors_for
from screening.run_config import RunConfig


@contextlib.contextmanager
def warm_start(config: RunConfig) -> Iterator[None]:
    """Run the block with a Ray session that has room for a run's actors, and with torch and torchvision imported."""
    loading = Thread(target=import_module, args=("torchvision",), daemon=True)  # nothing of Ray's: two threads must not import the same
    loading.start()
    from screening.ray_session import ray_session

    with ray_session(actors=actors_for(config, rows=sys.maxsize)):
        loading.join()
        yield
