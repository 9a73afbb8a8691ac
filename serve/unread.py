"""What is left of a request when its answer is ready: read first, for a client that still sends would lose the answer."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_SECONDS = 30.0  # for a client to send what nobody wants any more, as nginx's lingering_close gives it


class ReadToTheEnd:
    """Reads a request to its end, for so long at most, before the answer goes out.

    The server closes a connection whose request is not read when it is answered, and to a client that is still sending that is a reset,
    not a 413. A client that waits to be asked for the body (`Expect: 100-continue`) is not asked.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unread = not any(name == b"expect" for name, _ in scope["headers"])

        async def hear() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def tell(message: Message) -> None:
            nonlocal unread
            if unread:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINGER_SECONDS):
                        while unread:
                            await hear()
                unread = False
            await send(message)

        await self._app(scope, hear, tell)
