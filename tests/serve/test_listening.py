"""The gateway's own HTTP server: the port that it waits for, and a request that takes too long. Its end is a slow proof."""

import asyncio
import socket
import threading

import pytest
from starlette.types import Message, Receive, Scope, Send

from serve import app, listening
from serve.listening import socket_at
from tests.served import free_port


def test_the_port_of_a_gateway_that_died_is_waited_for() -> None:
    port = free_port()
    before = socket.create_server(("127.0.0.1", port))
    closing = threading.Timer(0.5, before.close)
    closing.start()
    with socket_at("127.0.0.1", port) as after:
        assert after.getsockname() == ("127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_port_that_stays_taken_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "BIND_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        socket_at("127.0.0.1", other.getsockname()[1])


def test_a_request_that_takes_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_write_down", lambda *_: None)  # for there is no gateway here
    told: list[Message] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    async def tell(message: Message) -> None:
        told.append(message)

    asyncio.run(app.Watch(slow, 0.01)({"type": "http", "method": "GET", "path": "/"}, None, tell))
    assert told[0]["status"] == 503
    assert dict(told[0]["headers"])[b"retry-after"] == b"10"
