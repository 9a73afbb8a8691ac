"""One local Ray for every test that needs it."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray that ends with the test session."""
    from screening.run.ray_session import ray_session

    with ray_session(actors=2):
        yield
