"""A server on this machine: Ray, Serve and the application, from the first request to the last."""

import contextlib
import io
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from schemas.service import ServiceSettings
from screening.errors import UsageError
from screening.run.ray_session import ray_session
from serve.application import application_of

APPLICATION = "screening"

_ENVIRONMENT = {  # of a Ray that is started for the server, whose processes inherit it
    # what is smaller than this goes from process to process as it is, and only larger things by way of the object store: a radiograph is
    # smaller, and the raylet then has next to nothing to do for it
    "RAY_max_direct_call_object_size": str(4 * 2**20),
    # our code runs in the event loop of Serve, with no thread between them: what takes long has threads of its own
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # but a proxy takes the requests: a gateway that listens by itself and is killed twice in a row may not get its port again
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0",
}


class Running:
    """A server that runs."""

    def __init__(self) -> None:
        self._asked_to_end = threading.Event()

    def end(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Let `wait` return; may be used as a signal handler."""
        self._asked_to_end.set()

    def wait(self) -> None:
        """Return when the process is asked to end, by SIGINT or SIGTERM, or `end` was called."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.end)
        self._asked_to_end.wait()


@contextlib.contextmanager
def serving(settings: ServiceSettings, host: str, port: int) -> Iterator[Running]:
    """Run the block with a server that is ready. At the end, requests that are being answered are finished.

    Raises UsageError where the port is taken, and what the replicas raise where they cannot start.
    """
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it tells each step on stderr
    _check_free(host, port)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with ray_session(actors=settings.replicas):
        http = {"host": host, "port": port, "request_timeout_s": settings.request_seconds + 5}
        try:
            serve.start(http_options=http)
            serve.run(application_of(settings), name=APPLICATION)
            yield Running()
        finally:
            with contextlib.redirect_stdout(io.StringIO()):  # where Ray reports the end of its own controller as a failure
                serve.shutdown()


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port} ({error.strerror}): give another --port or --host") from None
