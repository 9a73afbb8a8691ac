"""A decoder's child process that does something else in the middle of an image: to crash, to hang, or to say how far it is."""

import sys
from pathlib import Path

import pytest

# The child imports a file of this name at its start, because its folder lies on the path.
SITE = """
from screening.ingest import polarity

original = polarity.upright

def upright(content, valid):
    {body}
    return original(content, valid)

polarity.upright = upright
"""


def sabotage(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Let children that start from here on run `body`, one line, after they have decoded an image and before they go on with it."""
    (folder / "sitecustomize.py").write_text(SITE.format(body=body))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
