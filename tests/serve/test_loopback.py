"""A server of one machine listens where it was told to, and nowhere else that another machine can reach."""

import socket

from tests.listening import open_to_others
from tests.served import Served


def test_no_replica_listens_to_other_machines(served: Served) -> None:
    assert open_to_others() == []


def test_a_port_that_others_reach_would_be_seen() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert [one.rsplit(" ", 1)[1] for one in open_to_others()] == [str(server.getsockname()[1])]
