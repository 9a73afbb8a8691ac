"""Retention: heatmaps after so many days, rows never."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from screening.errors import LockedError, UsageError
from screening.results.layout import ResultsLayout
from screening.results.retention import expired_heatmaps, in_words, remove_expired
from screening.storage import list_files, put_atomic, read_bytes
from tests.screening.instance_rows import DIGEST, NIGHT
from tests.screening.results.compacted_folder import seen, write_nights

TODAY = NIGHT + timedelta(32)


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """Three nights with two heatmap files each, the last of them 30 days ago."""
    layout = ResultsLayout(f"{tmp_path}/results")
    write_nights(layout, 3)
    for night in range(3):
        for half in "ab":
            put_atomic(layout.heatmaps(DIGEST, NIGHT + timedelta(night), f"{night:015x}{half}"), b"a zip file")
    put_atomic(f"{layout.all_heatmaps}/bundle=aaaaaaaaaaaa/notes.zip", b"of somebody else")
    return layout


@pytest.mark.parametrize(("days", "nights"), [(33, 0), (32, 0), (31, 1), (30, 2), (29, 3), (1, 3)])
def test_nights_that_lie_more_than_so_many_days_back_are_over(layout: ResultsLayout, days: int, nights: int) -> None:
    expired = expired_heatmaps(layout, days, TODAY)
    assert [one.night for one in expired] == [NIGHT + timedelta(night) for night in range(nights)]
    assert all((one.bundle, len(one.urls), one.bytes) == ("aaaaaaaaaaaa", 2, 20) for one in expired)


def test_heatmaps_go_with_a_record_and_rows_stay(layout: ResultsLayout) -> None:
    before = seen(layout)
    expired = expired_heatmaps(layout, 30, TODAY)
    record = remove_expired(layout, expired, 30)
    assert [url.rpartition("screen_date=")[2][:10] for url in list_files(layout.all_heatmaps) if "screen_date" in url] == ["2020-03-03"] * 2
    assert list_files(layout.all_heatmaps, "notes.zip")
    assert seen(layout).equals(before)
    said = json.loads(read_bytes(record))
    assert said["heatmaps_after_days"] == 30
    assert said["nights"][0] == {"bundle": "aaaaaaaaaaaa", "night": "2020-03-01", "files": 2, "bytes": 20}
    assert expired_heatmaps(layout, 30, TODAY) == []
    assert remove_expired(layout, [], 30) is None
    assert in_words(expired) == {"nights": 2, "files": 4, "bytes": 40, "first": date(2020, 3, 1), "last": date(2020, 3, 2)}
    assert in_words([]) == {"nights": 0, "files": 0, "bytes": 0}


def test_nothing_goes_without_the_lock_or_at_once(layout: ResultsLayout) -> None:
    def lost() -> None:
        raise LockedError("taken over")

    with pytest.raises(LockedError):
        remove_expired(layout, expired_heatmaps(layout, 1, TODAY), 1, check_lock=lost)
    assert len(list_files(layout.all_heatmaps)) == 7
    with pytest.raises(UsageError, match="give 1 day or more"):
        expired_heatmaps(layout, 0, TODAY)
