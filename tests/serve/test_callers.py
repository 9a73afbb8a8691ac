"""Who may call: every route is walked with no token, wrong, revoked and under-scoped ones."""

import json
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from schemas.scope import Scope
from serve.app import ROUTERS, make_app
from tests.archives import phantom_dicom
from tests.served import Served

OPEN = {"/healthz", "/readyz", "/", "/static/{name}"}
DESCRIPTION = {"/openapi.json"}  # what FastAPI adds
ROUTES = [route for router in ROUTERS for route in router.routes]


def scopes_of(route: APIRoute) -> tuple[Scope, ...]:
    """Return what opens a route, empty where nothing is asked for."""
    return next((dependency.call.scopes for dependency in route.dependant.dependencies if hasattr(dependency.call, "scopes")), ())


def test_every_route_but_the_open_ones_asks_for_a_token() -> None:
    assert {route.path for route in ROUTES if not scopes_of(route)} == OPEN
    assert {path for route in make_app().routes if (path := getattr(route, "path", None))} == DESCRIPTION


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path not in OPEN], ids=lambda route: route.path)
def test_who_has_no_business_is_refused(served: Served, route: APIRoute) -> None:
    scopes = scopes_of(route)
    for method in route.methods:
        for token in (None, "scr_wrong", "", "revoked"):
            reply = served.ask(route.path, token=token, method=method)
            assert reply.status == 401, (method, token)
            assert reply.headers["www-authenticate"] == "Bearer"
        for scope in set(Scope) - set(scopes):
            reply = served.ask(route.path, token=scope.value, method=method)
            assert reply.status == 403, (method, scope)
            assert "insufficient_scope" in reply.headers["www-authenticate"]
            assert all(name in reply.json()["detail"] for name in scopes)
        for scope in scopes:
            assert served.ask(route.path, token=scope.value, method=method).status not in (401, 403)


def test_other_ways_to_hand_over_a_token_are_none(served: Served) -> None:
    secret = served.tokens["all"]
    assert served.ask(f"/v1/bundle?access_token={secret}", token=None).status == 401
    assert served.ask("/v1/bundle", token=None, Authorization=f"Basic {secret}").status == 401
    assert served.ask("/v1/bundle", token=None, Cookie=f"token={secret}").status == 401


def test_the_log_says_who_asked_for_what_and_nothing_of_the_patient(served: Served) -> None:
    [answer] = served.score(phantom_dicom(77, "normal", 512), token="score").json()["answers"]
    served.ask("/v1/bundle", token=None)
    lines = [json.loads(line) for file in Path(served.settings.log).rglob("*.jsonl") for line in file.read_text().splitlines()]
    messages = [line["message"] for line in lines if line["logger"] == "serve.access"]
    assert any("POST /v1/score by has-score, 200" in message and answer["SOPInstanceUID"] in message for message in messages)
    assert any("GET /v1/bundle by nobody, 401" in message for message in messages)
    text = json.dumps(lines)
    assert "TEST-77" not in text
    assert "0.dcm" not in text
    assert not any(secret in text for secret in served.tokens.values())
