"""The web application: every route, the headers of every answer, and the log of who asked for what."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from serve import gateway
from serve.problems import problem, tell_problems
from serve.routes import instances, page, readings, scoring, service, worklist

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


def make_app() -> FastAPI:
    """Return the application; its routes look for the gateway when they are called."""
    app = FastAPI(title="Chest radiograph screening", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None)
    tell_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    app.middleware("http")(_watch)
    return app


async def _watch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Name the request, give the answer its headers, count it, and write down who asked for which instances."""
    started = time.perf_counter()
    request_id = uuid.uuid4().hex[:12]
    try:
        response = await call_next(request)
    except Exception:
        log.exception("request %s failed", request_id)
        response = problem(500, f"an error of this software; its log has the entry {request_id}")
    seconds = time.perf_counter() - started
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-ID"] = request_id
    route = getattr(request.scope.get("route"), "path", "unknown")
    _count(route, request.method, response.status_code, seconds)
    if route.startswith("/v1") or route == "unknown":
        asked = {name: getattr(request.state, name, None) for name in ("caller", "instances")}
        instances = " ".join(uid for uid in asked["instances"] or () if uid)
        access.info(
            "%s %s %s by %s, %d, %.0f ms%s",
            request_id,
            request.method,
            route,
            asked["caller"] or "nobody",
            response.status_code,
            1000 * seconds,
            f", instances {instances}" if instances else "",
        )
    return response


def _count(route: str, method: str, status: int, seconds: float) -> None:
    service = gateway.gateway()
    service.metrics.requests.labels(route, method, status).inc()
    service.metrics.request_seconds.labels(route).observe(seconds)
