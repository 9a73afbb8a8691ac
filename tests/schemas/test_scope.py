"""Scopes are light to load, because every command does."""

import subprocess
import sys

from schemas.scope import Scope


def test_they_load_no_pydantic() -> None:
    code = "import schemas.scope, sys; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
    assert [scope.value for scope in Scope] == ["score", "read", "review", "admin"]
