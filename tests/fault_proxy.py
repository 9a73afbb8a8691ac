"""A TCP proxy in front of an HTTP server on loopback that misbehaves on demand. Each connection carries one request."""

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>injected</Message></Error>"


@dataclass
class Faults:
    """What goes wrong with the next requests whose line matches `match`; each request uses one up."""

    match: str = ".*"
    unavailable: int = 0  # answered 503 without asking the server
    reset: int = 0  # connections reset in the middle of the answer,
    reset_after_bytes: int = 0  # after that many bytes of it
    lost: int = 0  # done by the server, the answer never sent
    requests: list[str] = field(default_factory=list)  # the request lines seen


class FaultProxy:
    """Listens on a free port of its own; `endpoint` is its URL."""

    def __init__(self, target_port: int):
        self.faults = Faults()
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            request = _read_request(client)
            line = request.split(b"\r\n", 1)[0].decode("latin-1")
            faults = self.faults
            faults.requests.append(line)
            matched = re.match(faults.match, line) is not None
            if matched and faults.unavailable > 0:
                faults.unavailable -= 1
                head = f"HTTP/1.1 503 Slow Down\r\nContent-Length: {len(SLOW_DOWN)}\r\nConnection: close\r\n\r\n"
                client.sendall(head.encode() + SLOW_DOWN)
                return
            with socket.create_connection(("127.0.0.1", self._target_port)) as server:
                server.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                limit = None
                if matched and faults.lost > 0:
                    faults.lost -= 1
                    limit = 0
                elif matched and faults.reset > 0:
                    faults.reset -= 1
                    limit = faults.reset_after_bytes
                _pass_on(server, client, limit)


def _read_request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(client)
    head = data.split(b"\r\n\r\n", 1)[0]
    match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    size = len(head) + 4 + (int(match[1]) if match else 0)
    while len(data) < size:
        data += _receive(client)
    return re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", data[: len(head)]) + data[len(head) :]


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client went away")
    return data


def _pass_on(server: socket.socket, client: socket.socket, limit: int | None) -> None:
    """Send the answer on; with a limit, that many bytes of it and then a reset."""
    sent = 0
    while data := server.recv(65536):
        if limit is not None and sent + len(data) >= limit:
            client.sendall(data[: limit - sent])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST
            return
        client.sendall(data)
        sent += len(data)


@contextlib.contextmanager
def fault_proxy(target_port: int) -> Iterator[FaultProxy]:
    """A proxy for the time of a `with` block."""
    proxy = FaultProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
