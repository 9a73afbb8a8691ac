"""Which files hold the rows of a results folder: parts, and compacted files, which answer for the shards that have no part.

A run commits a shard with a part. `screening compact` puts the rows of many parts into one file, names that file in the list of the bundle
(`_files.json`), and removes the parts. A part that exists always answers for its shard, so each of these steps may be the last one
before a crash, and each row is still seen once. A redrive of a shard that was compacted writes a part, which counts from then on.

Readers list the folder first and read the list of files afterwards. A part that is missing from the listing was removed before it, so the
list that is read later names the file with its rows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow.compute as pc

from schemas.file_list import CompactedFile, FileList
from screening.errors import ResultsError
from screening.results.layout import FILE_LIST, ResultsLayout, is_compacted
from screening.storage import exists, filesystem_of, list_files, list_folders, read_bytes, url_of

_PLACE = re.compile(r"/(?:night|screen_date)=(\d{4}-\d\d-\d\d)/part-([^/]+)\.parquet$")

Shard = tuple[date, str]  # its night and its shard_id


@dataclass(frozen=True)
class Snapshot:
    """What holds rows at one moment: the URLs of the parts, and the compacted files by their URLs, each in order."""

    parts: tuple[str, ...]
    compacted: dict[str, CompactedFile]

    @property
    def urls(self) -> list[str]:
        """Every file, parts first."""
        return [*self.parts, *self.compacted]

    def replaced(self) -> list[Shard]:
        """Return the shards whose rows in compacted files do not count, because a part answers for them; a few may be in no such file."""
        nights = {night for file in self.compacted.values() for night in file.nights}
        return sorted(shard for part in self.parts if (shard := shard_of(part)) and shard[0] in nights)


def take(layout: ResultsLayout, bundle_digest: str | None = None) -> Snapshot:
    """Return what holds the rows of one bundle, or of every bundle.

    Raises ResultsError where a list of compacted files is missing or cannot be read, because no row may be left out in silence.
    """
    if bundle_digest is not None:
        return take_folder(layout.instances(bundle_digest))
    found = list_files(layout.all_instances, ".parquet")
    return _taken(found, list_folders(layout.all_instances))


def take_folder(folder: str) -> Snapshot:
    """Return what holds the rows of one bundle, given by its folder. Raises ResultsError as `take` does."""
    found = list_files(folder, ".parquet")
    return _taken(found, [folder])


def _taken(found: list[str], folders: list[str]) -> Snapshot:
    compacted = {url: file for folder in folders for url, file in compacted_files(folder).items()}
    for url in found:
        if is_compacted(url) and url not in compacted:
            _check_list_exists(url)
    return Snapshot(tuple(url for url in found if not is_compacted(url)), dict(sorted(compacted.items())))


def compacted_files(folder: str) -> dict[str, CompactedFile]:
    """Return the compacted files of a bundle's folder by their URLs."""
    base = url_of(*filesystem_of(folder))
    return {f"{base}/{file.name}": file for file in read_list(folder).files}


def read_list(folder: str) -> FileList:
    """Return the compacted files of a bundle's folder; none where it has no list. Raises ResultsError for a list that cannot be read."""
    url = f"{folder}/{FILE_LIST}"
    try:
        return FileList.model_validate_json(read_bytes(url))
    except FileNotFoundError:
        return FileList()
    except ValueError as error:
        raise ResultsError(f"{url}: no list of compacted files of this version ({type(error).__name__}); put the right one back") from error
    except OSError as error:
        raise ResultsError(f"{url}: cannot be read ({error.strerror or type(error).__name__}); mend its folder or its store") from error


def shard_of(url: str) -> Shard | None:
    """Return the shard that the place of a part names; None for a file in another place, which was copied there."""
    match = _PLACE.search(url)
    return (date.fromisoformat(match[1]), match[2]) if match else None


def not_of(shards: Iterable[Shard]) -> pc.Expression | None:
    """Return the condition that a row belongs to none of some shards; None where there are none."""
    condition = None
    by_night: dict[date, list[str]] = {}
    for night, shard_id in shards:
        by_night.setdefault(night, []).append(shard_id)
    for night, shard_ids in by_night.items():
        own = ~((pc.field("screen_date") == night) & pc.field("shard_id").isin(shard_ids))
        condition = own if condition is None else condition & own
    return condition


def _check_list_exists(compacted: str) -> None:
    """Raise ResultsError for a compacted file of a bundle that has no list at all: the list is written before the first such file."""
    folder = compacted.rsplit("/", 2)[0]
    if not exists(f"{folder}/{FILE_LIST}"):
        raise ResultsError(f"{compacted}: the list {FILE_LIST} is missing from {folder}, so nobody knows what counts; put the list back")
