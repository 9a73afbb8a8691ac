"""One server for all tests of `serve/`."""

from collections.abc import Iterator

import pytest

from tests.nights import KEY
from tests.served import Served, a_server


@pytest.fixture(scope="package")
def served(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the bundle for phantoms, a short queue and small limits."""
    limits = {"queue": 12, "max_files": 4, "max_file_bytes": 4 * 2**20, "max_request_bytes": 6 * 2**20}
    folder = tmp_path_factory.mktemp("served")
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_bytes(KEY)
    with a_server(folder, log=str(folder / "log"), pseudonym_key=str(key), **limits) as server:
        yield server
