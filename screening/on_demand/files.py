"""What one may hand over to be scored: paths and URLs of files, folders and containers, or the bytes of one file."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from screening.archive.index import rows
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.archive.urls import split_member

Given = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class File:
    """One file to score: the name that its answer bears, and either its bytes or where they are."""

    name: str | None
    content: bytes | None = field(default=None, repr=False)
    url: str = ""
    identity: IndexedObject | None = None

    def read(self, reader: ObjectReader) -> bytes:
        """Return the bytes. Raises ImageRefused where they cannot be read, as the reader says."""
        return self.content if self.content is not None else reader.read(self.url, self.identity)


def files_of(given: Given | Iterable[Given]) -> Iterator[File]:
    """Yield every file that was handed over, in that order; those of a folder or a container as an archive lists them.

    A file that was named itself keeps that name, others have their URL. Raises ArchiveError where there is nothing at a path.
    """
    for one in [given] if isinstance(given, str | os.PathLike | bytes) else given:
        if isinstance(one, bytes):
            yield File(None, one)
            continue
        named = os.fspath(one)
        listed = rows(named)  # and not as tables, for which pyarrow would import pandas
        first = list(islice(listed, 2))
        for row in chain(first, listed):
            url = row["object_url"]
            itself = len(first) == 1 and split_member(url)[0] is None and os.path.basename(url) == os.path.basename(named)
            yield File(named if itself else url, None, url, IndexedObject(row["object_bytes"], row["object_etag"]))
