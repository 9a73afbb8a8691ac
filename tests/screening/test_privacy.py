"""privacy: the pseudonyms by hand, the file that holds their key, and URLs that only the key opens."""

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest

from screening.errors import UsageError
from screening.privacy import KEY_FILE_VARIABLE, KEY_VARIABLE, SEALED, Pseudonymizer, UrlSeal, create_key, load_key

KEY = b"0123456789abcdef"


def test_pseudonym_by_hand():
    expected = hmac.new(KEY, b"PatientID\x00A-17", hashlib.sha256).hexdigest()[:32]
    assert Pseudonymizer(KEY).pseudonym("A-17", "PatientID") == expected == "8e4d024ea7104629df0fd4fd4352b817"


def test_padding_does_not_count_and_everything_else_does():
    pseudonymizer = Pseudonymizer(KEY)
    same = {pseudonymizer.pseudonym(value, "PatientID") for value in ("A-17", "A-17 ", " A-17", "A-17\0")}
    assert len(same) == 1
    others = [("a-17", "PatientID"), ("A-17", "StudyInstanceUID"), ("A-1", "PatientID"), ("", "PatientID")]
    assert len(same | {pseudonymizer.pseudonym(*other) for other in others}) == 5
    assert Pseudonymizer(b"another key of 16").pseudonym("A-17", "PatientID") not in same


def test_key_shows_nowhere():
    assert "0123456789" not in repr(Pseudonymizer(KEY))


def test_short_key_is_refused():
    with pytest.raises(UsageError):
        Pseudonymizer(b"short")


def test_created_key_is_private_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "new" / "pseudonym.key"
    key = create_key(file)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert len(key) == 64
    assert load_key(file) == key
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(file))
    assert load_key() == key
    with pytest.raises(UsageError, match="exists"):
        create_key(file)


def test_a_key_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, f" {KEY.decode()}\n")
    assert load_key() == KEY
    file = tmp_path / "key"
    assert create_key(file) == load_key(file), "a file that is named comes first"
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(UsageError, match=f"in {KEY_VARIABLE} has 5 bytes"):
        load_key()
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(file))
    with pytest.raises(UsageError, match="both set"):
        load_key()


def test_keys_that_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=KEY_FILE_VARIABLE):
        load_key()
    with pytest.raises(UsageError, match="cannot be read"):
        load_key(tmp_path / "absent")
    file = tmp_path / "key"
    file.write_bytes(b"short\n")
    file.chmod(0o600)
    with pytest.raises(UsageError, match="fewer than 16"):
        load_key(file)
    file.write_bytes(KEY)
    for mode, accepted in ((0o644, False), (0o660, False), (0o640, True), (0o400, True)):
        file.chmod(mode)
        if accepted:
            assert load_key(file) == KEY
        else:
            with pytest.raises(UsageError, match="chmod 600"):
                load_key(file)


URLS = ["s3://bucket/Doe^Jo/19610305.dcm", "zip://Zoë Ng.dcm::file:///archive/Müller.zip", "file:///a", "file:///x/%FF" + "n" * 300]


@pytest.mark.parametrize("url", URLS)
def test_a_sealed_url_opens_with_its_key_and_no_other(url: str):
    sealed = UrlSeal(KEY).seal(url)
    assert sealed.startswith(SEALED)
    assert UrlSeal(KEY).open(sealed) == url
    assert UrlSeal(KEY).seal(url) == sealed
    for broken in (sealed[:-3], sealed[:20] + chr(ord(sealed[20]) ^ 1) + sealed[21:], SEALED + "!", SEALED):
        with pytest.raises(UsageError, match="another pseudonym key"):
            UrlSeal(KEY).open(broken)
    with pytest.raises(UsageError, match="another pseudonym key"):
        UrlSeal(b"another key of 16").open(sealed)


def test_sealing_by_the_library_itself():
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    derived = hmac.new(KEY, b"AES-SIV of object URLs", hashlib.sha512).digest()
    data = AESSIV(derived).encrypt(b"file:///a".ljust(32, b"\0"), None)
    assert base64.urlsafe_b64decode(UrlSeal(KEY).seal("file:///a").removeprefix(SEALED)) == data


def test_a_sealed_url_shows_no_name_and_hardly_its_length():
    names = ["Miller", "Featherstonehaugh", "x" * 20]
    sealed = [UrlSeal(KEY).seal(f"file:///archive/{name}.dcm") for name in names]
    assert len({len(text) for text in sealed}) < len(names)
    assert all(name not in text for name in names for text in sealed)


def test_a_url_that_is_not_sealed_opens_as_it_is():
    assert [UrlSeal(KEY).open(url) for url in URLS] == URLS


def test_keyed_object_ids():
    keyed = UrlSeal(KEY).object_id("0" * 32)
    assert keyed == Pseudonymizer(KEY).pseudonym("0" * 32, "object_id") != UrlSeal(b"another key of 16").object_id("0" * 32)
    assert "0123456789" not in repr(UrlSeal(KEY))
