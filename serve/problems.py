"""Requests that are not carried out: each answer is application/problem+json (RFC 9457), with the remedy and no value of the request."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.service import Problem

MEDIA_TYPE = "application/problem+json"


class Refused(Exception):
    """A request that is not carried out: a status code, and in words what is wrong with it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def busy(detail: str, retry_after_seconds: int = 1) -> Refused:
    """Return the refusal of a request that is right but comes at a bad time."""
    return Refused(503, detail, {"Retry-After": str(retry_after_seconds)})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is not carried out."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(told.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)


def tell_problems(app: FastAPI) -> None:
    """Make the app answer so to whatever refuses a request."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return problem(error.status, error.detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def by_the_framework(request: Request, error: HTTPException) -> JSONResponse:
        remedy = {404: "there is no such thing here; see /openapi.json for what there is", 405: "see /openapi.json for the methods"}
        return problem(error.status_code, remedy.get(error.status_code, str(error.detail)), error.headers)


def responses(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Return what OpenAPI says of the problems that a route can have."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}
