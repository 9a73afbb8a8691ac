"""Names that always give the same identifier, on every machine."""

import pydicom
import pytest

from screening.dicom.uids import seed_of, uid_of


def test_uids_are_valid_and_follow_their_names() -> None:
    assert uid_of("a", 1) == uid_of("a", "1") != uid_of("a", 2)
    assert uid_of("ab", "c") != uid_of("a", "bc")
    for names in (("a",), ("study", 17), tuple("a long name of many words")):
        uid = pydicom.uid.UID(uid_of(*names))
        assert uid.is_valid
        assert uid.startswith("2.25.")
        assert len(uid) <= 64


def test_they_are_those_of_earlier_versions() -> None:
    """Archives and results of different versions name the same thing alike."""
    assert uid_of("study", 1) == "2.25.71293038234489357134599450117130230369"
    assert seed_of("study", 1) == 4602280067341151938


@pytest.mark.parametrize("names", [("a",), ("a", 1), ()])
def test_seeds_are_63_bits(names: tuple[object, ...]) -> None:
    assert 0 <= seed_of(*names) < 2**63
    assert seed_of(*names) == seed_of(*names)


def test_seeds_of_different_names_differ() -> None:
    assert len({seed_of("study", number) for number in range(1000)}) == 1000
