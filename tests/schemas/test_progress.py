"""The callback that tells how far a function is."""

from schemas.progress import counter, unwatched, within


def test_a_counter_begins_its_step_and_adds_up() -> None:
    told: list[tuple[str, int, int]] = []
    count = counter(lambda *said: told.append(said), "decoding", 5)
    count(2)
    count()
    assert told == [("decoding", 0, 5), ("decoding", 2, 5), ("decoding", 3, 5)]


def test_a_part_names_the_whole() -> None:
    told: list[tuple[str, int, int]] = []
    within(lambda *said: told.append(said), "split val")("decoding", 1, 2)
    assert told == [("split val: decoding", 1, 2)]


def test_nobody_need_watch() -> None:
    counter(within(unwatched, "split val"), "decoding", 5)(5)
