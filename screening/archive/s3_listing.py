"""Every object below a prefix of S3, in the order of one listing, from several listings at once.

S3 gives a listing in pages of 1,000 objects, and tells where a page begins only at the end of the one before. So one listing is as fast as
one request follows the other. To be faster, the objects are cut into parts that are listed beside each other. A part is what begins with
one string: a folder (the keys up to a `/`, which S3 names for `Delimiter="/"`), or neighbouring small folders by the characters that their
names share. Such parts hold each object exactly once, on every store, whatever its order.

Folders are looked at `LEVELS` levels deep, while they stay large. A folder with nothing but files in it is one part, because S3 names
no place in it to begin at. So is one with more than MOST_FOLDERS folders in it, because their names are held in memory, or with fewer
than five files in each.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any

import fsspec

from screening import storage
from screening.archive.source import IndexedObject, ListedObject, etag_of_answer

LISTED_AT_ONCE = 8  # parts: beyond that the answers cannot be parsed faster
PAGES_AHEAD = 10  # pages held of a part whose turn has not come: with LISTED_AT_ONCE parts 80,000 objects, about 50 MB
PAGES_A_PART = 4  # that small folders are put together for
MOST_FOLDERS = 50_000  # folders and files of one level that are held in memory, about 10 MB
MOST_A_PAGE = 200  # folders: where a page holds more, to find them costs as much as to list them
LEVELS = 3


@dataclass(frozen=True, slots=True)
class _Part:
    """The objects whose keys begin with `prefix`."""

    prefix: str
    may_be_cut: bool = False  # into smaller parts, where it is large


_Found = list[ListedObject]  # objects that are listed already, in their order
_Level = dict[str, ListedObject | None]  # the keys directly below a prefix: an object, or None for a folder


def is_object(key: str, size: int) -> bool:
    """Return whether a key is an object of an archive: neither the mark of an empty folder nor a half-written file."""
    name = key.rsplit("/", 1)[-1]
    return (bool(name) or size > 0) and not name.startswith(storage.TEMPORARY_PREFIX)


def objects_below(fs: fsspec.AbstractFileSystem, bucket: str, prefix: str) -> Iterator[ListedObject]:
    """Yield the objects whose keys begin with `prefix`, which is empty or ends in `/`, in the order of their keys.

    A store that lists in another order gives its first page in that order, and within each part, too. Closing the generator ends its
    threads after the requests that they are at. Raises what the store raises.
    """
    pages = _Pages(fs, bucket)
    first = next(pages.listed(prefix))
    yield from pages.objects(first)
    if first.get("IsTruncated"):
        known = {f"{bucket}/{entry['Key']}" for entry in first["Contents"]}
        yield from (listed for listed in _in_parts(pages, prefix) if listed.path not in known)


def object_at(fs: fsspec.AbstractFileSystem, bucket: str, key: str) -> Iterator[ListedObject]:
    """Yield the one object that has this key, if there is one."""
    pages = _Pages(fs, bucket)
    yield from (listed for listed in pages.objects(next(pages.listed(key))) if listed.path == f"{bucket}/{key}")


class _Pages:
    """The pages of a bucket's listings. After `stop` no further one is asked for."""

    def __init__(self, fs: fsspec.AbstractFileSystem, bucket: str):
        self._fs, self._bucket = fs, bucket
        self._stopped = threading.Event()

    def listed(self, prefix: str, **arguments: str) -> Iterator[dict[str, Any]]:
        """Yield the answers to ListObjectsV2, 1,000 keys each."""
        while not self._stopped.is_set():
            page = self._fs.call_s3("list_objects_v2", Bucket=self._bucket, Prefix=prefix, **arguments)
            yield page
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def objects(self, page: dict[str, Any]) -> _Found:
        """Return the objects of a page."""
        return [self._object(entry) for entry in page.get("Contents", []) if is_object(entry["Key"], entry["Size"])]

    def stop(self) -> None:
        """End every listing at its present page."""
        self._stopped.set()

    def _object(self, entry: dict[str, Any]) -> ListedObject:
        path = f"{self._bucket}/{entry['Key']}"
        return ListedObject(f"s3://{path}", path, IndexedObject(entry["Size"], etag_of_answer(entry)), entry.get("LastModified"))

    def cut(self, item: _Part | _Found) -> list[_Part | _Found]:
        """Return a part as smaller ones, in the order of their keys; as itself where it cannot be cut."""
        if not isinstance(item, _Part) or not item.may_be_cut:
            return [item]
        first = next(self.listed(item.prefix), {})
        if not first.get("IsTruncated"):
            return [self.objects(first)]
        folders = _folders_in(first, item.prefix)
        level = self._level(item.prefix) if 0 < folders <= MOST_A_PAGE else None
        return [_Part(item.prefix)] if level is None else list(_grouped(level, folders_a_page=folders))

    def _level(self, prefix: str) -> _Level | None:
        """Return what lies directly below a prefix; None where that is too much."""
        level: _Level = {}
        for page in self.listed(prefix, Delimiter="/"):
            level |= {listed.path.partition("/")[2]: listed for listed in self.objects(page)}
            level |= dict.fromkeys(found["Prefix"] for found in page.get("CommonPrefixes", []))
            if len(level) > MOST_FOLDERS:
                return None
        return level

    def begin(self, item: _Part | _Found) -> tuple[_Found, _Part | None, str | None]:
        """Return the first objects of a part; and where there are more the part and the token of its next page."""
        if not isinstance(item, _Part):
            return item, None, None
        found: _Found = []
        for number, page in enumerate(self.listed(item.prefix), start=1):
            found += self.objects(page)
            if number == PAGES_AHEAD and page.get("IsTruncated"):
                return found, item, page["NextContinuationToken"]
        return found, None, None


def _folders_in(page: dict[str, Any], prefix: str) -> int:
    """Return how many folders the keys of a page lie in; 0 where most lie in none."""
    below = [entry["Key"][len(prefix) :].split("/", 1) for entry in page["Contents"]]
    names = [parts[0] for parts in below if len(parts) > 1]
    return len(set(names)) if 2 * len(names) > len(below) else 0


def _grouped(level: _Level, folders_a_page: int) -> Iterator[_Part | _Found]:
    """Yield the parts of a level: each folder, or where a page holds several those with the same beginning, as many as fill a few pages."""
    most = max(1, PAGES_A_PART * (folders_a_page - 1))  # the last folder of a page is seldom whole
    waiting = [sorted(level)]  # as S3 sorts, because code points have the order of their UTF-8
    while waiting:
        keys = waiting.pop()
        files = [listed for key in keys if (listed := level[key])]
        if len(files) == len(keys):
            yield files
        elif len(keys) == 1:
            yield _Part(keys[0], may_be_cut=folders_a_page == 1)
        elif len(keys) <= most:
            yield _Part(_shared(keys))  # with the files among them, which are listed once more
        else:
            waiting += reversed(_split(keys))


def _split(keys: list[str]) -> list[list[str]]:
    """Return sorted keys by the first character in which they differ."""
    length = len(_shared(keys)) + 1
    return [list(group) for _, group in groupby(keys, key=lambda key: key[:length])]


def _shared(keys: list[str]) -> str:
    """Return the characters that all of some sorted keys begin with."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(keys[0], keys[-1], strict=False))
    return "".join(character for character, _ in same)


def _in_parts(pages: _Pages, prefix: str) -> Iterator[ListedObject]:
    """Yield what lies below a prefix from several listings at once, one part after the other."""
    pool = ThreadPoolExecutor(LISTED_AT_ONCE, thread_name_prefix="listing")
    try:
        parts: Iterable[_Part | _Found] = [_Part(prefix, may_be_cut=True)]
        for _ in range(LEVELS):
            parts = _flat(_ahead(pool, pages.cut, parts))
        for found, part, token in _ahead(pool, pages.begin, parts):
            yield from found
            if part and token:
                for page in pages.listed(part.prefix, ContinuationToken=token):
                    yield from pages.objects(page)
    finally:
        pages.stop()
        pool.shutdown(cancel_futures=True)


def _flat(lists: Iterable[list[_Part | _Found]]) -> Iterator[_Part | _Found]:
    for parts in lists:
        yield from parts


def _ahead(pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield what `work` returns for each item, in their order. It works ahead on LISTED_AT_ONCE of them."""
    waiting: deque[Future] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) == LISTED_AT_ONCE:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
