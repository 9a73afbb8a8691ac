"""`screening token` as a user calls it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from jobs.cli import make_app
from screening.errors import UsageError
from serve.tokens import TokenFile

runner = CliRunner()


def test_a_token_from_its_making_to_its_end(tmp_path: Path) -> None:
    file = str(tmp_path / "tokens.json")

    def token(*arguments: str):
        return runner.invoke(make_app(), ["token", *arguments, "--tokens", file])

    made = token("create", "clinic-7", "--scope", "score", "--scope", "read")
    secret = made.stdout.strip()
    assert made.exit_code == 0
    assert TokenFile(file).caller(secret).name == "clinic-7"
    assert "cannot be shown again" in made.stderr
    assert isinstance(token("create", "clinic-7", "--scope", "read").exception, UsageError)
    assert "clinic-7: score, read; since 20" in token("list").stdout
    assert token("revoke", "clinic-7").exit_code == 0
    listed = token("list", "--json").stdout
    assert json.loads(listed)[0]["revoked"] is not None
    assert "sha256" not in listed
    assert secret not in listed
    assert TokenFile(file).caller(secret) is None
    assert token("create", "x", "--scope", "root").exit_code == 2
