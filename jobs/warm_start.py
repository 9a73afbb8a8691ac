"""Starting Ray while everything else that a run needs is imported: each takes seconds, and Ray mostly waits for its own processes."""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from threading import Thread

_MODULES = (  # which bring pyarrow, DuckDB, pydicom, pydantic and rich; none of Ray's: two threads must not import the same
    "screening.results.parts",
    "screening.results.database",
    "screening.ingest.sandbox",
    "screening.shard.score",
    "screening.bundle.checks",
    "screening.results.manifests",
)


@contextlib.contextmanager
def warm_start(*, actors: int) -> Iterator[None]:
    """Run the block with a Ray session that has room for so many actors, and with most of what a run imports imported."""
    loading = Thread(target=lambda: [import_module(module) for module in _MODULES], daemon=True)
    loading.start()
    from screening.run.ray_session import ray_session

    with ray_session(actors=actors):
        loading.join()
        yield
