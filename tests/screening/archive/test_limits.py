"""What a container may cost: each sum has its end, and good containers stay far from it."""

import pytest

from schemas.reasons import Reason
from screening.archive.limits import (
    BYTES_PER_ENTRY,
    FREE_ENTRIES,
    FREE_MEMBER_BYTES,
    FREE_NAME_BYTES,
    FREE_UNPACKED_BYTES,
    MAX_ENTRIES,
    MAX_NAMES_BYTES,
    Budget,
    implausible,
)
from screening.archive.members import Listing, Member
from screening.errors import ImageRefused


def test_a_small_container_has_few_entries_and_a_large_one_many() -> None:
    for stored, entries in ((100, FREE_ENTRIES), (2**27, 2**27 // BYTES_PER_ENTRY), (2**40, MAX_ENTRIES)):
        budget = Budget(stored, entries=entries - 1)
        budget.add_entry()
        with pytest.raises(ImageRefused, match="too_large"):
            budget.add_entry()


def test_names_together_have_a_limit() -> None:
    for stored, size in ((100, FREE_NAME_BYTES), (2**40, MAX_NAMES_BYTES)):
        Budget(stored).add_name(size)
        with pytest.raises(ImageRefused, match="too_large"):
            Budget(stored).add_name(size + 1)


def test_what_is_unpacked_and_what_is_promised_have_a_limit() -> None:
    for add in (Budget.add_unpacked, Budget.add_promised):
        for stored, most in ((100, FREE_UNPACKED_BYTES), (2**23, 50 * 2**23)):
            budget = Budget(stored)
            add(budget, most)
            with pytest.raises(ImageRefused, match="implausible_compression"):
                add(budget, 1)


def test_a_blank_image_is_plausible_and_a_bomb_is_not() -> None:
    assert not implausible(FREE_MEMBER_BYTES, 1)
    assert implausible(FREE_MEMBER_BYTES + 1, 1)
    assert not implausible(200_000_000, 1_000_000)
    assert implausible(200_000_001, 1_000_000)


def test_members_that_will_be_refused_unread_promise_nothing() -> None:
    listing = Listing(1000, 1000)
    listing.add(Member("bomb", 0, 10, 2**40))
    listing.add(Member("beyond", 990, 2**30, 2**30))
    assert listing.budget.promised == 0
    listing.add(Member("good", 0, 10, 20))
    assert listing.budget.promised == 20
    assert list(listing.members) == ["bomb", "beyond", "good"]


def test_the_first_damage_is_kept() -> None:
    listing = Listing(1000, 1000)
    listing.note(Reason.CORRUPT, "first")
    listing.note(Reason.TRUNCATED, "second")
    assert str(listing.damage) == "corrupt: first"
