"""The history of the registry: nothing that was added is lost, whoever adds at the same moment, and it says what judges."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.bundle import OperatingPoint
from schemas.registry import Action, RegistryEntry
from screening.errors import ResultsError, UsageError
from screening.registry.history import add, find, promoted, promotions, read_history, registered
from screening.results.layout import ResultsLayout

POINT = OperatingPoint(threshold=0.5, rule="r", data="d")


def entry(action: Action, digit: str, who: str = "ann") -> RegistryEntry:
    """Return an entry about the bundle whose digest is one digit repeated."""
    return RegistryEntry(
        number=1, action=action, bundle_digest=digit * 64, bundle_name=f"bundle {digit}", bundle_url=f"/bundles/{digit}",
        operating_points={"pneumonia": POINT, "covid": POINT}, who=who, when=datetime(2020, 3, 1, tzinfo=UTC), why="because",
    )  # fmt: skip


def numbered(*entries: RegistryEntry) -> list[RegistryEntry]:
    return [it.model_copy(update={"number": number}) for number, it in enumerate(entries, 1)]


@pytest.fixture(params=["local", "s3"])
def layout(request: pytest.FixtureRequest) -> ResultsLayout:
    if request.param == "local":
        return ResultsLayout(str(request.getfixturevalue("tmp_path")))
    return ResultsLayout(request.getfixturevalue("s3_bucket") + "/results")


def test_of_many_writers_at_once_none_loses_an_entry(layout: ResultsLayout) -> None:
    seen: list[list[int]] = []
    together = threading.Barrier(6)

    def write(who: str) -> None:
        def make(history: list[RegistryEntry]) -> RegistryEntry:
            seen.append([it.number for it in history])
            return entry("register", "a", who)

        together.wait()
        add(layout, make)

    writers = [threading.Thread(target=write, args=(f"writer {number}",)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    history = read_history(layout)
    assert [it.number for it in history] == [1, 2, 3, 4, 5, 6]
    assert {it.who for it in history} == {f"writer {number}" for number in range(6)}
    assert len(seen) > 6  # those who were too late made theirs anew, for what was in the history by then


def test_a_rollback_goes_back_one_promotion_and_the_next_one_further() -> None:
    steps = [entry("register", "a"), entry("promote", "a"), entry("promote", "b"), entry("promote", "c"), entry("rollback", "b")]
    history = numbered(*steps)
    assert promoted(history[:1]) is None
    assert [it.number for it in promotions(history)] == [2, 5]
    further = numbered(*steps, entry("rollback", "a"))
    assert (promoted(further).number, promoted(further).bundle_digest[0]) == (6, "a")
    again = numbered(*steps, entry("rollback", "a"), entry("promote", "c"))
    assert [it.bundle_digest[0] for it in promotions(again)] == ["a", "c"]


def test_a_bundle_is_found_by_the_digits_that_tell_it_apart() -> None:
    history = numbered(entry("register", "a"), entry("register", "b"), entry("promote", "b"), entry("register", "a", who="bob"))
    assert registered(history)["a" * 64].who == "bob"
    assert find(history, "BB").bundle_digest == "b" * 64
    with pytest.raises(UsageError, match="0 registered bundles begin with c; registered are: aaaaaaaaaaaa, bbbbbbbbbbbb"):
        find(history, "c")
    with pytest.raises(UsageError, match="2 registered"):
        find(history, "")


def test_an_entry_that_is_gone_or_damaged_is_named(tmp_path: Path) -> None:
    layout = ResultsLayout(str(tmp_path))
    for digit in "abc":
        add(layout, lambda _, digit=digit: entry("register", digit))
    second = Path(layout.registry_entry(2))
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(ResultsError, match="entry 2 of the registry is missing"):
        read_history(layout)
    second.write_text("{}")
    with pytest.raises(ResultsError, match="entry-000002"):
        read_history(layout)
    second.write_bytes(content)
    assert [it.bundle_digest[0] for it in read_history(layout)] == ["a", "b", "c"]
