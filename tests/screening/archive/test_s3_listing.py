"""Listings of S3 in parts: each object once, in the order of its key, whatever the folders; and threads that end."""

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from screening import storage
from screening.archive import s3_listing
from screening.archive.s3_listing import object_at, objects_below
from screening.archive.source import ListedObject
from tests.screening.archive.made import ODD_NAMES

PAGE = 10  # keys a page in these tests; S3 gives 1,000

Row = tuple[str, int, str, Any]


class SmallPages:
    """An S3 filesystem whose listings come in small pages. It remembers its requests and may fail at one prefix."""

    def __init__(self, fs: Any):
        self.asked: list[dict[str, str]] = []
        self.fails_at: str | None = None
        self._fs = fs

    def call_s3(self, method: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        if arguments["Prefix"] == self.fails_at:
            raise PermissionError("refused")
        return self._fs.call_s3(method, MaxKeys=PAGE, **arguments)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_listing, "PAGES_AHEAD", 2)


def filled(bucket_url: str, keys: list[str]) -> tuple[SmallPages, str]:
    """Return the filesystem and the name of a bucket that holds these keys below cxr/, and others outside."""
    fs, bucket = storage.filesystem_of(bucket_url)
    fs.pipe({f"{bucket}/{key}": key.encode() for key in [*(f"cxr/{key}" for key in keys), "cxr-2/a.dcm", "cxq/a.dcm"]})
    return SmallPages(fs), bucket


def serially(fs: SmallPages, bucket: str) -> list[Row]:
    """Return URL, size, ETag and time of what one listing gives, page after page."""
    found: list[dict[str, Any]] = []
    arguments: dict[str, str] = {}
    while True:
        page = fs.call_s3("list_objects_v2", Bucket=bucket, Prefix="cxr/", **arguments)
        found += page.get("Contents", [])
        if not page["IsTruncated"]:
            return [(f"s3://{bucket}/{one['Key']}", one["Size"], one["ETag"].strip('"'), one["LastModified"]) for one in found]
        arguments["ContinuationToken"] = page["NextContinuationToken"]


def in_parts(fs: SmallPages, bucket: str) -> list[Row]:
    """Return what the listing in parts gives, in the form of `serially`."""
    found = objects_below(fs, bucket, "cxr/")
    return [(one.url, one.identity.object_bytes, one.identity.object_etag, one.modified) for one in found]


LAYOUTS = {
    "a few large folders": [f"{folder}/{number:03}.dcm" for folder in "abc" for number in range(35)],
    "folders of a page": [f"2020-03-{day:02}/{number}.dcm" for day in range(1, 13) for number in range(9)],
    "many small folders": [f"p{patient:05}/s{study}/1.dcm" for patient in range(0, 800, 7) for study in range(2)],
    "three levels": [f"{site}/{year}/{month:02}/{n}.dcm" for site in "xy" for year in (2019, 2020) for month in range(6) for n in range(7)],
    "flat": [f"{number:03}.dcm" for number in range(55)],
    "files among folders": [f"{n:02}{end}" for n in range(40) for end in ("/1.dcm", "/2.dcm", "0.dcm")],
    "names within names": [f"{'a' * n}/{m}.dcm" for n in range(1, 30) for m in range(2)],
    "one small, one large": ["a/1.dcm", *(f"b/{number:03}.dcm" for number in range(60))],
    "odd names": [f"{folder}{name}" for folder in ("ü&<>/", "x y/", "+%2B/", "胸/", "~/") for name in ODD_NAMES],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_parts_give_what_one_listing_gives(s3_bucket: str, layout: str) -> None:
    fs, bucket = filled(s3_bucket, LAYOUTS[layout])
    expected = serially(fs, bucket)
    assert len(expected) == len(LAYOUTS[layout])
    assert in_parts(fs, bucket) == expected == in_parts(fs, bucket)


def test_a_store_in_another_order_loses_nothing(s3_bucket: str) -> None:
    """SeaweedFS lists a folder before the files whose names begin with its own: `a/` before `a-b/` and `a.dcm`, unlike S3."""
    keys = [f"{name}{end}" for name in ("a", "ab", "b") for end in ("/1", "/2", "-b/1", "-c/1", "-c/2", ".dcm", "0/1", "0/2", "0/3", "0/4")]
    fs, bucket = filled(s3_bucket, keys)
    found, expected = in_parts(fs, bucket), serially(fs, bucket)
    assert [one[0] for one in expected] != sorted(one[0] for one in expected)
    assert sorted(found) == sorted(expected)
    assert found == in_parts(fs, bucket)


def test_any_tree_of_folders(s3_bucket: str) -> None:
    chance = random.Random(1)
    fs, bucket = storage.filesystem_of(s3_bucket)
    keys = sorted(
        {"/".join(chance.choices(["a", "b", "ab", "abc", "1", "12", "c.d"], k=chance.randint(1, 5))) + ".dcm" for _ in range(400)}
    )
    fs, bucket = filled(s3_bucket, keys)
    assert sorted(in_parts(fs, bucket)) == sorted(serially(fs, bucket))


def test_small_folders_cost_few_requests(s3_bucket: str) -> None:
    fs, bucket = filled(s3_bucket, LAYOUTS["many small folders"])
    assert len(serially(fs, bucket)) == 230
    pages, fs.asked = len(fs.asked), []
    in_parts(fs, bucket)
    assert len(fs.asked) < 3 * pages


def test_a_small_archive_costs_one_request(s3_bucket: str) -> None:
    fs, bucket = filled(s3_bucket, ["a/1.dcm", "b/2.dcm"])
    assert len(in_parts(fs, bucket)) == 2
    assert len(fs.asked) == 1


def test_too_many_folders_are_listed_as_one(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_listing, "MOST_FOLDERS", 20)
    fs, bucket = filled(s3_bucket, LAYOUTS["many small folders"])
    assert in_parts(fs, bucket) == serially(fs, bucket)


def test_folders_of_one_file_are_not_looked_for(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_listing, "MOST_A_PAGE", 2)
    fs, bucket = filled(s3_bucket, LAYOUTS["many small folders"])
    assert in_parts(fs, bucket) == serially(fs, bucket)
    assert not [asked for asked in fs.asked if "Delimiter" in asked]


def test_folder_marks_and_half_written_files_are_left_out(s3_bucket: str) -> None:
    fs, bucket = filled(s3_bucket, LAYOUTS["folders of a page"])
    expected = serially(fs, bucket)
    real = storage.filesystem_of(s3_bucket)[0]
    real.call_s3("put_object", Bucket=bucket, Key="cxr/2020-03-01/", Body=b"")
    real.call_s3("put_object", Bucket=bucket, Key="cxr/2020-03-02/.tmp-1", Body=b"x")
    assert in_parts(fs, bucket) == expected


@pytest.mark.parametrize("prefix", ["cxr/a/", "cxr/b/", "cxr/c/"])
def test_an_error_of_one_part_ends_the_listing(s3_bucket: str, prefix: str) -> None:
    fs, bucket = filled(s3_bucket, LAYOUTS["a few large folders"])
    fs.fails_at = prefix
    with pytest.raises(PermissionError, match="refused"):
        list(objects_below(fs, bucket, "cxr/"))
    assert not listing_threads()


def test_a_listing_that_is_closed_early_ends_its_threads(s3_bucket: str) -> None:
    fs, bucket = filled(s3_bucket, LAYOUTS["a few large folders"])
    found: Iterator[ListedObject] = objects_below(fs, bucket, "cxr/")
    next(found)
    assert not listing_threads()  # the first page is one request of the caller's own
    for _ in range(2 * PAGE):
        next(found)
    assert listing_threads()
    found.close()
    assert not listing_threads()
    asked = len(fs.asked)
    time.sleep(0.2)
    assert len(fs.asked) == asked


def listing_threads() -> list[threading.Thread]:
    """Return the threads of listings that are alive."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("listing")]


def test_little_is_listed_ahead(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_listing, "LISTED_AT_ONCE", 2)
    fs, bucket = filled(s3_bucket, [f"{folder:02}/{number:02}.dcm" for folder in range(15) for number in range(20)])
    found = objects_below(fs, bucket, "cxr/")
    for _ in range(2 * PAGE):
        next(found)
    time.sleep(0.5)
    assert len(fs.asked) < 30  # of more than 60
    found.close()


def test_one_object(s3_bucket: str) -> None:
    fs, bucket = filled(s3_bucket, ["a.dcm", "a.dcm2"])
    assert [one.path for one in object_at(fs, bucket, "cxr/a.dcm")] == [f"{bucket}/cxr/a.dcm"]
    assert not list(object_at(fs, bucket, "cxr/a"))
