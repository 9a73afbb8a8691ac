"""Retention: heatmaps are pictures of people and go after so many days; rows stay for ever.

A heatmap can be made again from its image. A row cannot be lost without losing the count of what was screened, so nothing here touches one:
the columns that named a heatmap go on naming it, and whoever asks for it is told that it is gone.
"""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from screening.errors import check_usage
from screening.results.layout import ResultsLayout
from screening.results.manifests import new_run_id, now
from screening.storage import list_sizes, put_atomic, remove_files

_PLACE = re.compile(r"/heatmaps/bundle=([0-9a-f]+)/screen_date=(\d{4}-\d\d-\d\d)/[^/]+\.zip$")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expired:
    """The heatmaps of one bundle and night whose time is over."""

    bundle: str  # first digits of its digest
    night: date
    urls: tuple[str, ...]
    bytes: int


def expired_heatmaps(layout: ResultsLayout, after_days: int, today: date) -> list[Expired]:
    """Return the heatmaps of nights that lie more than so many days before `today`, oldest night first. Raises UsageError below 1 day."""
    check_usage(after_days >= 1, f"--heatmaps-after {after_days}: give 1 day or more")
    found: dict[tuple[date, str], dict[str, int]] = {}
    for url, size in list_sizes(layout.all_heatmaps, ".zip").items():
        if (match := _PLACE.search(url)) and date.fromisoformat(match[2]) < today - timedelta(after_days):
            found.setdefault((date.fromisoformat(match[2]), match[1]), {})[url] = size
    return [Expired(bundle, night, tuple(sizes), sum(sizes.values())) for (night, bundle), sizes in sorted(found.items())]


def remove_expired(
    layout: ResultsLayout, expired: list[Expired], after_days: int, *, check_lock: Callable[[], None] = lambda: None
) -> str | None:
    """Remove heatmaps, and return the URL of the record of it, which is written first; None where there is nothing to remove.

    The caller holds the lock of the results, and `check_lock` raises where it was lost.
    """
    if not expired:
        return None
    check_lock()
    record = layout.retention_record(new_run_id(now()))
    nights = [{"bundle": one.bundle, "night": one.night, "files": len(one.urls), "bytes": one.bytes} for one in expired]
    said = {"removed": now(), "heatmaps_after_days": after_days, "nights": nights}
    put_atomic(record, json.dumps(said, indent=2, default=str).encode())
    for one in expired:
        check_lock()
        remove_files(one.urls)
        log.info("retention: %d heatmap files of the night %s removed", len(one.urls), one.night)
    return record


def in_words(expired: list[Expired]) -> dict[str, object]:
    """Return the sums over some nights: nights, files, bytes, and the first and the last night."""
    ends = {"first": min(one.night for one in expired), "last": max(one.night for one in expired)} if expired else {}
    return {"nights": len(expired), "files": sum(len(one.urls) for one in expired), "bytes": sum(one.bytes for one in expired), **ends}
