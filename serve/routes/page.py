"""The page at `/`, its scripts and its style, which are open to everybody; and what it asks first, `GET /v1/me`."""

import functools
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from schemas.scope import Scope
from schemas.stored import Me
from serve.blinding import is_blind
from serve.callers import Caller, allowed
from serve.gateway import Gateway, gateway
from serve.problems import Refused, responses

router = APIRouter(tags=["page"])

Service = Annotated[Gateway, Depends(gateway)]

MEDIA_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
TOKEN_NEEDED = b'data-token="needed"'


@functools.cache
def page_files() -> dict[str, bytes]:
    """Return name → content of every file of the page."""
    folder = resources.files("serve").joinpath("page")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in MEDIA_TYPES}


@router.get("/", include_in_schema=False)
async def page(service: Service) -> Response:
    """Return the page, which asks for a token where the server does."""
    html = page_files()["index.html"]
    if service.tokens is None:
        html = html.replace(TOKEN_NEEDED, b'data-token="none"')
    return _file("index.html", html)


@router.get("/static/{name}", include_in_schema=False)
async def static(name: str) -> Response:
    """Return a script or the style of the page."""
    if name not in page_files():
        raise Refused(404, "the page has no such file")
    return _file(name, page_files()[name])


@router.get("/v1/me", responses=responses(401, 403))
async def me(service: Service, caller: Annotated[Caller, Depends(allowed(*Scope))]) -> Me:
    """Return what the caller may do here."""
    return Me(
        name=caller.name,
        scopes=sorted(caller.scopes, key=list(Scope).index),
        open=service.tokens is None,
        blind=is_blind(caller, service),
        results=service.stored is not None,
    )


def _file(name: str, content: bytes) -> Response:
    return Response(content, media_type=f"{MEDIA_TYPES[name.rpartition('.')[2]]}; charset=utf-8")
