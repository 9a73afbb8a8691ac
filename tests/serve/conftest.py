"""One server for all tests of `serve/`."""

from collections.abc import Iterator

import pytest

from screening.bundle.released import phantom_bundle
from screening.phantom.sites import SITES
from tests.nights import KEY
from tests.served import LISTED, Served, a_server
from tests.stored_nights import StoredNight, make_night

PHANTOMS = [(5, "covid"), (6, "covid"), (4, "covid"), (1, "covid"), (1, "pneumonia"), (2, "pneumonia"), (5, "pneumonia"), (1, "normal")]


@pytest.fixture(scope="package")
def stored_night(tmp_path_factory: pytest.TempPathFactory) -> StoredNight:
    """A night with four positives of stage 3, three of stage 2 alone, a negative one, and a file that is no image."""
    return make_night(tmp_path_factory.mktemp("nights"), phantom_bundle(), PHANTOMS)


@pytest.fixture(scope="package")
def served(ray_cluster: None, stored_night: StoredNight, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the bundle for phantoms, a night, a sites file that lists LISTED, a short queue and small limits."""
    limits = {"queue": 12, "max_files": 4, "max_file_bytes": 4 * 2**20, "max_request_bytes": 6 * 2**20}
    folder = tmp_path_factory.mktemp("served")
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_bytes(KEY)
    sites = folder / "sites.csv"
    sites.write_text(f"attribute,value,shown_as\nInstitutionName,{SITES[1].name},{LISTED}\n")
    files = {"pseudonym_key": str(key), "sites_file": str(sites), "results": stored_night.url}
    with a_server(folder, log=str(folder / "log"), **files, **limits) as server:
        yield server
