"""The head of every page: only its own style is allowed, and no title becomes markup."""

import base64
import hashlib
import re

from screening.page.head import head


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    markup = str(head("A < B"))
    style = re.search(r"<style>(.*)</style>", markup, re.DOTALL)[1]
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', markup)[1].replace("&#39;", "'")
    allowed = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert allowed == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "<title>A &lt; B</title>" in markup


def test_the_style_asks_for_nothing_elsewhere() -> None:
    style = re.search(r"<style>(.*)</style>", str(head("x")), re.DOTALL)[1]
    assert len(style) > 1000
    assert not re.findall(r"url\(|@import|</", style)
