"""A gateway that listens itself: on one machine a request goes straight to it, and by no process of Ray that hands it on."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import uvicorn
from ray.serve.handle import DeploymentHandle

from schemas.service import ServiceSettings
from serve.gateway import Gateway
from serve.loopback import keep_to_loopback

GRACE_SECONDS = 5.0  # beyond the time that a request may take, in which what takes too long says so by itself
KEEP_ALIVE_SECONDS = 60  # that a connection without a request stays open
BIND_SECONDS = 20.0  # for the gateway before this one, which died, to let go of the port


class ListeningGateway:
    """A Serve replica that holds a gateway, where `serve.gateway.gateway` finds it, and the HTTP server in front of it."""

    def __init__(self, settings: ServiceSettings, cascade: DeploymentHandle, host: str, port: int):
        """Make the gateway and listen. Raises as `Gateway` does, and OSError where the port stays taken."""
        from serve.app import make_app  # not needed by the process that starts this one

        keep_to_loopback()
        self.gateway = Gateway(settings, cascade)
        quiet = {"log_config": None, "access_log": False, "server_header": False}  # ours says who asked for what
        app = make_app(settings.request_seconds + GRACE_SECONDS)
        config = uvicorn.Config(app, lifespan="off", proxy_headers=False, timeout_keep_alive=KEEP_ALIVE_SECONDS, **quiet)
        self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[socket_at(host, port)]))

    async def drain(self) -> None:
        """Take no more connections, and return when every request that has come is answered."""
        self._server.should_exit = True
        await self._serving

    def check_health(self) -> None:
        """Raise RuntimeError where the server has ended by itself: Serve then makes another gateway."""
        if self._serving.done() and not self._server.should_exit:
            raise RuntimeError("the HTTP server has ended")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals of the process to Ray."""
        yield


def socket_at(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, as soon as nobody else does. Raises OSError where the port stays taken."""
    end = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
