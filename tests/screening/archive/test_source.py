"""One object by ranges, and the proof that it is still the one that was listed."""

import os
from pathlib import Path

import pytest

from screening import storage
from screening.archive.source import (
    BLOCK_BYTES,
    Changed,
    IndexedObject,
    Window,
    identity_of,
    open_source,
    read_object,
    time_of,
)
from screening.errors import ImageRefused


def test_ranges_of_an_object(url: str) -> None:
    storage.put_atomic(f"{url}/a", bytes(range(100)))
    fs, path = storage.filesystem_of(f"{url}/a")
    source = open_source(fs, path)
    assert source.identity.object_bytes == 100
    assert source.read(10, 5) == bytes(range(10, 15))
    assert source.read(95, 50) == bytes(range(95, 100))
    assert source.read(100, 5) == source.read(2**70, 2**70) == b""


def test_a_source_that_changes_says_so(url: str) -> None:
    storage.put_atomic(f"{url}/a", b"a" * 100)
    fs, path = storage.filesystem_of(f"{url}/a")
    listed = open_source(fs, path).identity
    storage.put_atomic(f"{url}/a", b"b" * 50)
    with pytest.raises(Changed):
        open_source(fs, path, listed).read(60, 10)  # beyond the new end
    with pytest.raises(Changed):
        open_source(fs, path, listed).read(0, 10)
    with pytest.raises(Changed):
        read_object(fs, path, 1000, listed)
    assert read_object(fs, path, 1000, open_source(fs, path).identity) == b"b" * 50


@pytest.mark.parametrize("part", ["before", "after"])
def test_a_local_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    (tmp_path / "a").write_bytes(b"a" * 100)
    fs, path = storage.filesystem_of(str(tmp_path / "a"))
    source = open_source(fs, path)
    original = os.pread

    def overwritten(descriptor: int, size: int, start: int) -> bytes:
        data = original(descriptor, size, start)
        (tmp_path / "a").write_bytes(b"b" * 99)
        return data

    if part == "before":
        (tmp_path / "a").write_bytes(b"b" * 99)
    else:
        monkeypatch.setattr(os, "pread", overwritten)
    with pytest.raises(Changed):
        source.read(0, 10)
    if part == "after":
        with pytest.raises(Changed):
            read_object(fs, path, 1000, None)


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    fs, path = storage.filesystem_of(str(tmp_path / "a"))
    with pytest.raises(Changed):
        read_object(fs, path, 1000, None)


def test_more_bytes_than_allowed_are_not_read(url: str) -> None:
    storage.put_atomic(f"{url}/a", b"a" * 100)
    fs, path = storage.filesystem_of(f"{url}/a")
    with pytest.raises(ImageRefused, match="too_large"):
        read_object(fs, path, 99, None)


def test_a_window_reads_ahead_little_and_more_where_reading_goes_on(tmp_path: Path) -> None:
    requests: list[tuple[int, int]] = []

    class Counting:
        identity = IndexedObject(2**30, "e")

        def read(self, start: int, size: int) -> bytes:
            requests.append((start, size))
            return bytes(size)

    window = Window(Counting())
    for start in range(0, BLOCK_BYTES, 512):
        assert window.read(start, 512) == bytes(512)
    assert requests == [(0, BLOCK_BYTES)]
    window.read(BLOCK_BYTES, 512)
    window.read(10 * BLOCK_BYTES, 512)
    assert requests[1:] == [(BLOCK_BYTES, 2 * BLOCK_BYTES), (10 * BLOCK_BYTES, BLOCK_BYTES)]


def test_what_other_stores_tell_of_an_object() -> None:
    assert identity_of({"size": 3, "ETag": "e", "mtime": 0.0}) == IndexedObject(3, "e")
    assert identity_of({"size": 3, "mtime": 0.0}) == IndexedObject(3, "1970-01-01T00:00:00+00:00")
    assert identity_of({"size": None}) == IndexedObject(0, "")


def test_a_time_that_no_calendar_has_is_no_time() -> None:
    assert [time_of(seconds) for seconds in (1e18, -1e18, 2.0**40)] == [None] * 3
