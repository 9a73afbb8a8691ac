"""Tokens: shown once, kept as hashes, refused when wrong, revoked, or where the file is gone."""

import time
from pathlib import Path

import pytest

from schemas.scope import Scope
from screening.errors import UsageError
from serve import tokens
from serve.tokens import TokenFile, create, load, revoke


def test_a_token_is_its_callers_until_it_is_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "READ_AGAIN_SECONDS", 0.0)
    file = str(tmp_path / "tokens.json")
    secret = create(file, "clinic-7", (Scope.SCORE, Scope.READ, Scope.SCORE))
    other = create(file, "dr.b@hospital", (Scope.REVIEW,))
    known = TokenFile(file)
    assert known.caller(secret).name == "clinic-7"
    assert known.caller(secret).scopes == (Scope.SCORE, Scope.READ)
    assert known.caller(secret[:-1]) is None
    assert known.caller("") is None
    revoke(file, "clinic-7")
    time.sleep(0.01)
    assert known.caller(secret) is None
    assert known.caller(other).name == "dr.b@hospital"
    again = create(file, "clinic-7", (Scope.SCORE,))
    assert again != secret
    assert [token.revoked is None for token in load(file)] == [False, True, True]


def test_the_file_holds_no_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    secret = create(str(file), "clinic-7", (Scope.SCORE,))
    assert len(secret) > 40
    assert secret not in file.read_text()
    assert secret.removeprefix(tokens.PREFIX) not in file.read_text()


def test_a_file_that_is_gone_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "READ_AGAIN_SECONDS", 0.0)
    file = tmp_path / "tokens.json"
    secret = create(str(file), "clinic-7", (Scope.SCORE,))
    known = TokenFile(str(file))
    file.unlink()
    time.sleep(0.01)
    assert known.caller(secret) is None


@pytest.mark.parametrize(
    ("name", "scopes", "message"),
    [
        ("clinic-7", (Scope.READ,), "revoke it first"),
        ("clinic 8", (Scope.READ,), "cannot be a name"),
        ("", (Scope.READ,), "cannot be a name"),
        ("clinic-9", (), "at least one --scope"),
    ],
)
def test_what_cannot_be_made(tmp_path: Path, name: str, scopes: tuple[Scope, ...], message: str) -> None:
    file = str(tmp_path / "tokens.json")
    create(file, "clinic-7", (Scope.SCORE,))
    with pytest.raises(UsageError, match=message):
        create(file, name, scopes)
    assert len(load(file)) == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="screening token create"):
        TokenFile(str(tmp_path / "none.json"))
    (tmp_path / "other.json").write_text('[{"name": "a"}]')
    with pytest.raises(UsageError, match="is no file of tokens"):
        TokenFile(str(tmp_path / "other.json"))
    create(str(tmp_path / "tokens.json"), "a", (Scope.READ,))
    with pytest.raises(UsageError, match="no token in force for x"):
        revoke(str(tmp_path / "tokens.json"), "x")
