"""Who calls, and whether they may: bearer tokens on every route that is not named as open, and a log of who asked for what."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from schemas.scope import Scope
from serve.gateway import Gateway, gateway
from serve.problems import Refused

bearer = HTTPBearer(auto_error=False, description="a token that `screening token create` printed")


@dataclass(frozen=True)
class Caller:
    """Who calls: the name of their token, and what it allows."""

    name: str
    scopes: frozenset[Scope]


EVERYBODY = Caller("anybody", frozenset(Scope))  # where the server is open


def allowed(*scopes: Scope) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of a route that a token with any of these scopes opens.

    It refuses with 401 a request without a token, or with one that is wrong or revoked, and with 403 one whose token allows other things.
    """

    async def check(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        service: Annotated[Gateway, Depends(gateway)],
    ) -> Caller:
        caller = EVERYBODY
        if service.tokens is not None:
            token = service.tokens.caller(credentials.credentials) if credentials else None
            if token is None:
                raise Refused(401, "give a token that is in force: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
            caller = Caller(token.name, frozenset(token.scopes))
        request.state.caller = caller.name
        if caller.scopes.isdisjoint(scopes):
            wanted = " or ".join(scopes)
            header = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{wanted}"'}
            raise Refused(403, f"this needs a token with the scope {wanted}", header)
        return caller

    check.scopes = scopes  # by which a test finds the routes without one
    return check
