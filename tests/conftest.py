"""Fixtures of every test, and how the tests are divided among processes."""

import functools
import gc
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browser
from tests.orthanc import orthanc, orthanc_server
from tests.ray_cluster import ray_cluster
from tests.s3 import s3_bucket, s3_environment, s3_server

__all__ = ["browser", "orthanc", "orthanc_server", "ray_cluster", "s3_bucket", "s3_environment", "s3_server"]

ROOT = Path(__file__).resolve().parent.parent
RAY_FIXTURES = re.compile(r"\b(ray_cluster|served)\b")  # a server runs on Ray


@functools.cache
def share_of(file: str, *, trains_apart: bool = False) -> str:
    """Return which tests a file's must share a process with: those of the file, and where they use Ray all that do.

    With `trains_apart` those of training do not share one with the others that use Ray: among slow tests they take about half of the time.
    """
    if not RAY_FIXTURES.search((ROOT / file).read_text()):
        return file
    return "ray of trainings" if trains_apart and file.startswith("tests/train/") else "ray"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what shares Ray, and of it with trainings, then with proofs: no process is to begin what takes long at the end."""
    first = {"ray of trainings": 0, "ray": 1}

    def place(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return first.get(share_of(file, trains_apart=True), 2 if file.startswith("tests/proofs/") else 3)

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let actors of earlier tests go, which pytest held with what it had captured: a training that waits for their slots waits for ever."""
    if item.get_closest_marker("slow"):
        gc.collect()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores, because tests also wait: for servers, browsers and processes that start."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, because they share fixtures, and those that use Ray in one: two Rays are one too many.

    Of the slow tests many start a Ray of their own, so that trainings may have one too.
    """
    from xdist.scheduler import LoadScopeScheduling

    slow = config.option.markexpr.startswith("slow")

    class ByShare(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share_of(nodeid.partition("::")[0], trains_apart=slow)

    return ByShare(config, log)
