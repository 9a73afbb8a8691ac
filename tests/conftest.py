"""Fixtures of every test, and how the tests are divided among processes."""

import pytest

from tests.browser import browser
from tests.orthanc import orthanc, orthanc_server
from tests.ray_cluster import ray_cluster
from tests.s3 import s3_bucket, s3_environment, s3_server

__all__ = ["browser", "orthanc", "orthanc_server", "ray_cluster", "s3_bucket", "s3_environment", "s3_server"]

RAY_FIXTURES = {"ray_cluster"}  # also what a fixture of the test asks for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, because they share fixtures, and those that use Ray: one process has it, and begins with them."""
    with_ray = {item.path for item in items if RAY_FIXTURES & set(getattr(item, "fixturenames", ()))}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if item.path in with_ray else str(item.path)))
    items.sort(key=lambda item: item.path not in with_ray)
