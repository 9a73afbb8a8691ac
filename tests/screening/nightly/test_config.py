"""The file of a nightly job: what it means, and what is refused."""

from datetime import datetime, time, timedelta, timezone
from pathlib import Path

import pytest

from schemas.nightly import NightlyConfig
from screening.errors import UsageError
from screening.nightly.config import load_config, next_deadline

ROOT = Path(__file__).resolve().parents[3]
TAIPEI = timezone(timedelta(hours=8))


def test_the_example_is_one() -> None:
    config = load_config(str(ROOT / "deploy/nightly/nightly.toml"))
    assert config.deadline == time(6)
    assert config.monitor.limits["max_rejected_share"] == 0.2
    assert config.alert.command


def test_only_archive_and_results_are_needed(tmp_path: Path) -> None:
    file = tmp_path / "n.toml"
    file.write_text('archive = "a"\nresults = "r"\n')
    assert load_config(str(file)) == NightlyConfig(archive="a", results="r")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('results = "r"', "archive: Field required"),
        ('archive = "a"\nresults = "r"\n[run]\nactor = 2', "run.actor: Extra inputs are not permitted"),
        ('archive = "a"\nresults = "r"\ndeadline = "25:00"', "deadline: "),
        ('archive = "a"\nresults = "r"\n[alert]\nurl = "ftp://x"', "alert.url: "),
        ("archive = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "n.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_config(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_config(str(tmp_path / "n.toml"))


def test_a_deadline_is_the_next_time_that_the_clock_says_so() -> None:
    evening = datetime(2020, 3, 1, 22, 30, tzinfo=TAIPEI)
    assert next_deadline(time(6), evening) == datetime(2020, 3, 2, 6, tzinfo=TAIPEI)
    assert next_deadline(time(23, 15), evening) == datetime(2020, 3, 1, 23, 15, tzinfo=TAIPEI)
    assert next_deadline(time(22, 30), evening) == datetime(2020, 3, 2, 22, 30, tzinfo=TAIPEI)
    assert next_deadline(None, evening) is None
