"""A request is read to its end before it is answered, whatever the application made of it."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from serve import unread
from serve.unread import ReadToTheEnd

PARTS = [b"a", b"b", b"c"]


def answered(reads: int, headers: list[tuple[bytes, bytes]], sent: int = len(PARTS)) -> tuple[list[bytes], list[str]]:
    """Return what was read of a request until the answer was out, and the answer, of an application that reads so many parts.

    The client sends `sent` parts and then nothing more.
    """
    read: list[bytes] = []
    told: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(reads):
            await receive()
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        if len(read) == sent:
            await asyncio.sleep(60)
        read.append(PARTS[len(read)])
        return {"type": "http.request", "body": read[-1], "more_body": len(read) < len(PARTS)}

    async def send(message: Message) -> None:
        told.append(f"{message['type']} after {len(read)}")

    asyncio.run(ReadToTheEnd(application)({"type": "http", "headers": headers}, receive, send))
    return read, told


@pytest.mark.parametrize("reads", [0, 1, 3])
def test_the_answer_waits_until_everything_is_read(reads: int) -> None:
    read, told = answered(reads, [])
    assert read == PARTS
    assert told == ["http.response.start after 3", "http.response.body after 3"]


def test_a_client_that_sends_no_more_gets_its_answer_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "LINGER_SECONDS", 0.01)
    assert answered(0, [], sent=1) == (PARTS[:1], ["http.response.start after 1", "http.response.body after 1"])


def test_a_client_that_waits_to_be_asked_is_not_asked() -> None:
    assert answered(0, [(b"expect", b"100-continue")]) == ([], ["http.response.start after 0", "http.response.body after 0"])
