"""privacy: the pseudonyms by hand, and the file that holds their key."""

import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest

from screening.errors import UsageError
from screening.privacy import KEY_FILE_VARIABLE, Pseudonymizer, create_key, load_key

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
