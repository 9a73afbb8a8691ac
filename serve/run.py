"""A server on this machine: Ray, Serve and the application, from the first request to the last."""

import asyncio
import contextlib
import io
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from schemas.service import ServiceSettings
from screening.errors import UsageError
from screening.run.ray_session import ray_session
from serve.application import DRAIN_SECONDS, application_of

APPLICATION = "screening"

log = logging.getLogger(__name__)

_ENVIRONMENT = {  # of a Ray that is started for the server, whose processes inherit it
    # what is smaller than this goes from process to process as it is, and only larger things by way of the object store: a radiograph is
    # smaller, and the raylet then has next to nothing to do for it
    "RAY_max_direct_call_object_size": str(4 * 2**20),
    # our code runs in the event loop of Serve, with no thread between them: what takes long has threads of its own
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # the gateway asks the cascade by gRPC, which takes less time at both ends than a call of an actor
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    # the controller looks at the replicas twice a second, and not ten times, which is work for a machine that has two cores
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # with Ray's own way of listening in a replica, one that dies may keep its port from the next
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
    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it tells each step on stderr
    _check_free(host, port)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with ray_session(actors=settings.replicas):
        gateway = None
        try:
            gateway = _deployed(settings, host, port)
            yield Running()
        finally:
            with contextlib.redirect_stdout(io.StringIO()):  # where Ray reports the end of its own controller as a failure
                asyncio.run(_end(gateway, settings.request_seconds + DRAIN_SECONDS))


def _deployed(settings: ServiceSettings, host: str, port: int) -> DeploymentHandle | None:
    """Start the application, and return its gateway where that listens itself: not on a cluster, where it may be on another machine."""
    if os.environ.get("RAY_ADDRESS"):
        serve.start(http_options={"host": host, "port": port, "request_timeout_s": settings.request_seconds + 5})
        serve.run(application_of(settings), name=APPLICATION)
        return None
    serve.start(proxy_location="Disabled")
    return serve.run(application_of(settings, (host, port)), name=APPLICATION, route_prefix=None)


async def _end(gateway: DeploymentHandle | None, seconds: float) -> None:
    """Let the gateway answer what has come, for so many seconds at most, and then end Serve."""
    try:
        if gateway is not None:
            async with asyncio.timeout(seconds):
                await gateway.drain.remote()
    except (TimeoutError, RayActorError, DeploymentUnavailableError) as error:
        log.warning("the gateway did not end by itself: %s", type(error).__name__)
    await serve.shutdown_async()


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port} ({error.strerror}): give another --port or --host") from None
