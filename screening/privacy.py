"""Keyed pseudonyms, so that no patient identifier leaves ingest and rows of one person can still be joined; and encrypted file names.

HMAC-SHA-256 with a secret of the agency: without the key nobody can compute or test a pseudonym, with it the same PatientID always
gives the same one. The issuer of the identifier (0010,0021) is not part of it, because registries keep one number a person and no
issuer; where one archive holds several numbering schemes, give the schemes different keys or make the numbers distinct first.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from screening.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_FILE_VARIABLE = "SCREENING_PSEUDONYM_KEY_FILE"
KEY_VARIABLE = "SCREENING_PSEUDONYM_KEY"  # the key itself, as a secret of Kubernetes or of systemd gives it
MIN_KEY_BYTES = 16
PSEUDONYM_DIGITS = 32
SEALED = "sealed://"  # begins the URL of an object whose names are encrypted
_SEALED_STEP = 32  # bytes; URLs are sealed in multiples of that, so that the length of a name shows only roughly


@dataclass(frozen=True)
class Pseudonymizer:
    """Turns identifiers into pseudonyms. `uids` asks for the study, series and instance UIDs to be replaced too."""

    key: bytes = field(repr=False)
    uids: bool = False

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise UsageError(f"a pseudonym key has at least {MIN_KEY_BYTES} bytes")

    def pseudonym(self, value: str, kind: str) -> str:
        """Return 32 hex digits for `value`, different for each `kind` ("PatientID", "StudyInstanceUID", ...).

        Spaces and null bytes around the value mean nothing (PS3.5 6.2) and do not count.
        """
        message = kind.encode() + b"\0" + value.strip(" \0\t\r\n").encode()
        return hmac.new(self.key, message, hashlib.sha256).hexdigest()[:PSEUDONYM_DIGITS]


@dataclass(frozen=True)
class UrlSeal:
    """Encrypts the URLs of objects, whose file and folder names may be patients' names, and opens them again with the same key.

    AES-SIV (RFC 5297) with a key derived from that of the pseudonyms: the same URL always gives the same sealed one, as the names of
    shards and the resumption of runs need, and who has no key learns of two sealed URLs only whether they are equal.
    """

    key: bytes = field(repr=False)

    def seal(self, url: str) -> str:
        """Return `sealed://` and the encrypted URL in base64url."""
        data = url.encode(errors="surrogateescape")
        data += b"\0" * (-len(data) % _SEALED_STEP)
        return SEALED + base64.urlsafe_b64encode(self._cipher.encrypt(data, None)).decode().rstrip("=")

    def open(self, url: str) -> str:
        """Return the URL that `seal` was given; one that is not sealed as it is. Raises UsageError where another key sealed it."""
        from cryptography.exceptions import InvalidTag

        if not url.startswith(SEALED):
            return url
        token = url.removeprefix(SEALED)
        try:
            data = self._cipher.decrypt(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), None)
        except (InvalidTag, ValueError, binascii.Error):
            raise UsageError("a sealed URL cannot be opened: it was sealed with another pseudonym key, or is not whole") from None
        return data.rstrip(b"\0").decode(errors="surrogateescape")

    def object_id(self, object_id: str) -> str:
        """Return a keyed object_id. The plain one is a hash of the URL, with which anybody could test whether a name is in the archive."""
        return Pseudonymizer(self.key).pseudonym(object_id, "object_id")

    @functools.cached_property
    def _cipher(self) -> "AESSIV":
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(hmac.new(self.key, b"AES-SIV of object URLs", hashlib.sha512).digest())


def load_key(path: str | os.PathLike[str] | None = None) -> bytes:
    """Return the key in `path`, or in the file that SCREENING_PSEUDONYM_KEY_FILE names, or the one that SCREENING_PSEUDONYM_KEY holds.

    Raises UsageError where there is none, both variables are set, it is too short, or others may read the file or the group may change it.
    """
    held = os.environ.get(KEY_VARIABLE)
    if path is None and held:
        if os.environ.get(KEY_FILE_VARIABLE):
            raise UsageError(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set: which of them is the key? Unset one")
        return _long_enough(held.strip().encode(), f"in {KEY_VARIABLE}")
    name = path or os.environ.get(KEY_FILE_VARIABLE)
    if not name:
        raise UsageError(
            f"no pseudonym key: name its file in the argument or in {KEY_FILE_VARIABLE}, at least {MIN_KEY_BYTES} random bytes"
        )
    file = Path(name)
    try:
        mode = file.stat().st_mode
        key = file.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"pseudonym key {file} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(f"pseudonym key {file} is open to others: run `chmod 600 {file}`")
    return _long_enough(key, str(file))


def has_key_variable() -> bool:
    """Return whether the environment holds a key, or names the file of one."""
    return bool(os.environ.get(KEY_FILE_VARIABLE) or os.environ.get(KEY_VARIABLE))


def _long_enough(key: bytes, where: str) -> bytes:
    if len(key) < MIN_KEY_BYTES:
        raise UsageError(f"pseudonym key {where} has {len(key)} bytes, fewer than {MIN_KEY_BYTES}")
    return key


def create_key(path: str | os.PathLike[str]) -> bytes:
    """Write a new random key that only its owner can read, and return it. Raises UsageError where the file exists already."""
    key = secrets.token_hex(32).encode()
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists: a new key would make every pseudonym of the old one useless") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(key + b"\n")
    return key


def key_id_of(pseudonym_key: bytes) -> str:
    """Return eight hex digits that tell one pseudonym key from another and nothing else."""
    return Pseudonymizer(pseudonym_key).pseudonym("", "key id")[:8]
