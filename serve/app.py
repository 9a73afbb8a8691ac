"""The web application: every route, the headers of every answer, and the log of who asked for what."""

import asyncio
import logging
import time
import uuid

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.gateway import gateway_here
from serve.problems import problem, tell_problems
from serve.routes import instances, page, readings, scoring, service, worklist
from serve.unread import ReadToTheEnd

log = logging.getLogger(__name__)
access = logging.getLogger("serve.access")

DESCRIPTION = """Scores chest radiographs on demand, as the nightly run does. Research use, not a diagnosis.

A radiograph that cannot be scored is answered with 200, an outcome and a reason. A request that cannot be carried out is answered with
4xx or 503 and application/problem+json."""

ROUTERS = (scoring.router, instances.router, worklist.router, readings.router, service.router, page.router)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def make_app(seconds: float | None = None) -> FastAPI:
    """Return the application; its routes look for the gateway when they are called.

    A request that takes longer than `seconds` is answered with 503; None leaves that to the server.
    """
    app = FastAPI(title="Chest radiograph screening", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None)
    tell_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Watch, seconds=seconds)
    app.add_middleware(ReadToTheEnd)
    return app


class Watch:
    """Names each request, gives each answer its headers, counts it, and writes down who asked for which instances.

    It stands between the server and the application, as ASGI does, for Starlette's own way costs two tasks a request.
    """

    def __init__(self, app: ASGIApp, seconds: float | None):
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id, status = time.perf_counter(), uuid.uuid4().hex[:12], 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-ID"] = request_id
            await send(message)

        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                await self._app(scope, receive, tell)
        except Exception:
            log.exception("request %s %s", request_id, "took too long" if limit.expired() else "failed")
            if status:  # the answer has begun
                raise
            late = problem(503, f"no answer within {self._seconds} s: come back later", {"Retry-After": "10"})
            failed = problem(500, f"an error of this software; its log has the entry {request_id}")
            await (late if limit.expired() else failed)(scope, receive, tell)
        _write_down(scope, status, time.perf_counter() - started, request_id)


def _write_down(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    """Count a request, and log it where it asked for something of the API."""
    route = getattr(scope.get("route"), "path", "unknown")
    metrics = gateway_here().metrics
    metrics.requests.labels(route, scope["method"], status).inc()
    metrics.request_seconds.labels(route).observe(seconds)
    if not route.startswith("/v1") and route != "unknown":
        return
    state = scope.get("state", {})
    instances = " ".join(uid for uid in state.get("instances") or () if uid)
    access.info(
        "%s %s %s by %s, %d, %.0f ms%s",
        request_id,
        scope["method"],
        route,
        state.get("caller") or "nobody",
        status,
        1000 * seconds,
        f", instances {instances}" if instances else "",
    )
