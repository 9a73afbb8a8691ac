"""The heatmaps of instance rows, read from the zip files of their shards."""

from collections.abc import Mapping
from typing import Any
from zipfile import BadZipFile

import fsspec

from schemas.heatmap import URL_COLUMN, HeatmapKind
from screening.results.layout import ResultsLayout


def read_heatmap(row: Mapping[str, Any], kind: HeatmapKind, results_url: str | None) -> bytes | None:
    """Return the PNG file of one heatmap of an instance row; None where the row has none of this kind, or it is gone.

    It is looked for where the row says and then below `results_url`, because a results folder may have been moved since.
    """
    pointer = row[URL_COLUMN[kind]]
    if pointer is None:
        return None
    for url in _places(row, pointer, results_url):
        try:
            with fsspec.open(url) as file:
                return file.read()
        except (OSError, KeyError, ValueError, BadZipFile):
            continue
    return None


def _places(row: Mapping[str, Any], pointer: str, results_url: str | None) -> list[str]:
    member = pointer.split("::")[0]
    if results_url is None:
        return [pointer]
    return [pointer, f"{member}::{ResultsLayout(results_url).heatmaps(row['bundle_digest'], row['screen_date'], row['shard_id'])}"]
