"""One server for all tests of `serve/`."""

from collections.abc import Iterator

import pytest

from tests.served import Served, a_server


@pytest.fixture(scope="package")
def served(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the bundle for phantoms, a short queue and small limits."""
    limits = {"queue": 12, "max_files": 4, "max_file_bytes": 4 * 2**20, "max_request_bytes": 6 * 2**20}
    folder = tmp_path_factory.mktemp("served")
    with a_server(folder, log=str(folder / "log"), **limits) as server:
        yield server
