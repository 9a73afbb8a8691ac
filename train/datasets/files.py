"""The files of a data set as it was downloaded: found by name wherever they lie, in folders or in zip and tar files."""

import csv
import gzip
import io
import os

from screening.archive.index import scan
from screening.archive.listing import root_of
from screening.archive.reader import ObjectReader
from screening.archive.urls import split_member, unescape
from screening.dicom.limits import Limits
from screening.errors import ArchiveError, ImageRefused, TrainingError
from screening.storage import url_of

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
_GZIP = b"\x1f\x8b"


class SetFiles:
    """Every file below a folder, by name. Names are compared without regard to case, as the sets' own tables are careless of it."""

    def __init__(self, folder: str, urls: list[str]):
        self.folder = folder
        filesystem, path = root_of(folder)
        self._root = url_of(filesystem, path).rstrip("/") + "/"
        self._reader = ObjectReader(8 * Limits().max_bytes)  # label tables of 160,000 reports are larger than any image
        self._urls = sorted(urls, key=self.path)
        self._by_path = {self.path(url).lower(): url for url in self._urls}
        self._by_name: dict[str, list[str]] = {}
        for url in self._urls:
            self._by_name.setdefault(os.path.basename(self.path(url)).lower(), []).append(url)

    @classmethod
    def scan(cls, folder: str) -> "SetFiles":
        """List a folder under any fsspec URL. Raises TrainingError where there is nothing."""
        try:
            return cls(folder, [url for table in scan(folder) for url in table["object_url"].to_pylist()])
        except ArchiveError as error:
            raise TrainingError(f"no data set: {error}") from error

    def path(self, url: str) -> str:
        """Return where a file lies below the folder, members of containers as `0.zip/a.png`."""
        member, container = split_member(url)
        below = container.removeprefix(self._root)
        return below if member is None else f"{below}/{member}"

    def at(self, path: str) -> str | None:
        """Return the URL of the file at exactly that path below the folder, or None."""
        return self._by_path.get(os.path.normpath(path).lower())

    def find(self, name: str, *, within: str = "", outside: tuple[str, ...] = ()) -> str | None:
        """Return the URL of the one file of that name, or None.

        `within` names a folder that must be in its path, `outside` those that must not. Raises TrainingError where several remain,
        for example an original beside a smaller copy.
        """
        found = []
        for url in self._by_name.get(os.path.basename(name).lower(), ()):
            folders = self.path(url).lower().split("/")[:-1]
            if (not within or within.lower() in folders) and not any(folder.lower() in folders for folder in outside):
                found.append(url)
        if len(found) > 1:
            found = [url for url in found if os.path.basename(self.path(url)) == os.path.basename(name)] or found
        if len(found) > 1:
            paths = " and ".join(self.path(url) for url in found[:2])
            raise TrainingError(f"{self.folder} has {len(found)} files called {os.path.basename(name)}: {paths}; keep one of them")
        return found[0] if found else None

    def images(self) -> list[str]:
        """Return the URLs of all image files, in the order of their paths."""
        return [url for url in self._urls if self.path(url).lower().endswith(IMAGE_SUFFIXES)]

    def names(self) -> list[str]:
        """Return the names of all files in lower case, sorted."""
        return sorted(self._by_name)

    def text(self, url: str) -> str:
        """Return a text file, decompressed where it is gzip, from UTF-8 or else Latin-1. Raises TrainingError."""
        try:
            content = self._reader.read(url)
        except ImageRefused as refusal:
            raise TrainingError(f"{unescape(url)} cannot be read: {refusal.detail}") from refusal
        if content[:2] == _GZIP:
            content = gzip.decompress(content)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")

    def table(self, *names: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
        """Return the rows of the first of the CSV files `names` that is there (or `.gz`), keyed by lower-case column names.

        Raises TrainingError where none is there or one of `columns` is missing.
        """
        for variant in (variant for name in names for variant in (name, f"{name}.gz")):
            url = self.at(variant) or self.find(variant)
            if url is not None:
                return self._rows(url, columns)
        raise TrainingError(f"{self.folder} has no {' or '.join(names)}: is it the folder that the set was unpacked into?")

    def _rows(self, url: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
        csv.field_size_limit(1 << 24)  # reports
        reader = csv.reader(io.StringIO(self.text(url), newline=""))
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [column for column in columns if column not in header]
        if missing:
            raise TrainingError(f"{unescape(url)} lacks the column {', '.join(missing)}")
        return [dict.fromkeys(header, "") | dict(zip(header, map(str.strip, row), strict=False)) for row in reader if any(row)]
