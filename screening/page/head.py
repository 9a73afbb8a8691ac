"""The head of every page: its style, and the policy that forbids scripts and requests."""

import base64
import hashlib
from importlib import resources

from screening.page.markup import Markup, tag


def head(title: str) -> Markup:
    """Return the head of a page: its style, and the policy that forbids scripts and requests."""
    css = resources.files("screening.page").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(css)),
    )
