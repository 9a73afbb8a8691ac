"""Bearer tokens (RFC 6750): a file of who may call, with a hash of each token, so that the file opens nothing.

A token is 32 random bytes, so a plain SHA-256 of it is enough: nobody can try them all.
"""

import hashlib
import secrets
import threading
import time
from datetime import UTC, datetime

from pydantic import Field, TypeAdapter, ValidationError

from schemas.bundle import FrozenModel
from schemas.scope import Scope
from screening.errors import UsageError
from screening.storage import exists, put_atomic, read_bytes

PREFIX = "scr_"  # so that a token in a file or a log is recognized as one
READ_AGAIN_SECONDS = 2.0


class Token(FrozenModel):
    """One caller. The token itself is nowhere."""

    name: str = Field(pattern=r"^[\w.@-]{1,64}$", description="who it was given to; stands in the access log and in readings")
    scopes: tuple[Scope, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the token")
    created: datetime
    revoked: datetime | None = None


_TOKENS = TypeAdapter(list[Token])


def load(url: str) -> list[Token]:
    """Return every token of a file, revoked ones too. Raises UsageError where the file is missing or is not one of these."""
    try:
        return _TOKENS.validate_json(read_bytes(url))
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist: `screening token create NAME --scope score --tokens {url}` makes it") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise UsageError(f"{url} is no file of tokens ({where}: {first['msg']}); take another copy of it") from None


def create(url: str, name: str, scopes: tuple[Scope, ...]) -> str:
    """Add a caller to the file, which is made where there is none, and return the token: it can be had now and never again.

    Raises UsageError where the name is taken by a token in force, or is not 1 to 64 letters, digits, or any of . _ @ -
    """
    tokens = load(url) if exists(url) else []
    if any(token.name == name and token.revoked is None for token in tokens):
        raise UsageError(f"{url} has a token for {name}: revoke it first, or give another name")
    secret = PREFIX + secrets.token_urlsafe(32)
    try:
        made = Token(name=name, scopes=tuple(dict.fromkeys(scopes)), sha256=_digest(secret), created=datetime.now(UTC))
    except ValidationError:
        raise UsageError(f"{name!r} cannot be a name: 1 to 64 letters, digits, or any of . _ @ -; and give at least one --scope") from None
    _save(url, [*tokens, made])
    return secret


def revoke(url: str, name: str) -> None:
    """Take a caller's token out of force; servers see it within seconds. Raises UsageError where no token in force has the name."""
    tokens = load(url)
    if not any(token.name == name and token.revoked is None for token in tokens):
        raise UsageError(f"{url} has no token in force for {name}: see `screening token list --tokens {url}`")
    now = datetime.now(UTC)
    _save(url, [token.model_copy(update={"revoked": now}) if token.name == name and not token.revoked else token for token in tokens])


def _save(url: str, tokens: list[Token]) -> None:
    put_atomic(url, _TOKENS.dump_json(tokens, indent=1))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class TokenFile:
    """The tokens in force, read again every READ_AGAIN_SECONDS. Thread-safe.

    A file that cannot be read any more lets nobody in.
    """

    def __init__(self, url: str):
        """Raises UsageError where the file cannot be read now."""
        self.url = url
        self._lock = threading.Lock()
        self._in_force = self._read()
        self._read_at = time.monotonic()

    def caller(self, secret: str) -> Token | None:
        """Return whose token this is, None where it is nobody's or was revoked."""
        with self._lock:
            if time.monotonic() - self._read_at > READ_AGAIN_SECONDS:
                self._read_at = time.monotonic()
                try:
                    self._in_force = self._read()
                except (UsageError, OSError):
                    self._in_force = {}
            return self._in_force.get(_digest(secret))  # the hash is what is compared, so the time taken says nothing of the token

    def _read(self) -> dict[str, Token]:
        return {token.sha256: token for token in load(self.url) if token.revoked is None}
