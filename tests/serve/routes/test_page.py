"""The page's files, and `GET /v1/me`."""

import re

import pytest

from schemas.scope import Scope
from serve.routes.page import MEDIA_TYPES, page_files
from tests.served import Served


def test_the_page_asks_for_a_token_where_the_server_does(served: Served) -> None:
    reply = served.ask("/", token=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'data-token="needed"' in reply.body


@pytest.mark.parametrize("name", sorted(page_files()))
def test_every_file_of_the_page_is_served(served: Served, name: str) -> None:
    reply = served.ask(f"/static/{name}", token=None)
    assert reply.body == page_files()[name]
    assert reply.headers["content-type"].startswith(MEDIA_TYPES[name.rpartition(".")[2]])


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "__init__.py"])
def test_nothing_else_is(served: Served, name: str) -> None:
    assert served.ask(f"/static/{name}", token=None).status == 404


def test_the_page_has_nothing_that_its_policy_forbids() -> None:
    html = page_files()["index.html"].decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?://", html) == []
    for name, content in page_files().items():
        assert re.findall(rb"https?://|innerHTML|localStorage|\beval\b", content) == [], name


def test_who_one_is(served: Served) -> None:
    me = served.ask("/v1/me", token="review").json()
    assert me == {"name": "has-review", "scopes": ["review"], "open": False, "blind": True, "results": True}
    assert served.ask("/v1/me", token="all").json()["scopes"] == list(Scope)
    assert not served.ask("/v1/me", token="read").json()["blind"]
