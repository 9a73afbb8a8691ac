"""The list of a bundle's compacted files (`instances/bundle=<digest12>/_files.json`), which says what of them counts."""

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.bundle import FrozenModel


class CompactedFile(FrozenModel):
    """One Parquet file (INSTANCE_SCHEMA) with the rows of many shards."""

    name: str = Field(
        pattern=r"^night=\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d/rows-[0-9a-f]{16}\.parquet$", description="below the bundle's folder"
    )
    rows: int = Field(ge=1)
    bytes: int = Field(ge=1)
    nights: tuple[date, ...] = Field(min_length=1, description="screen_date of its rows, in order")


class FileList(FrozenModel):
    """Every compacted file of one bundle. A file of that kind that is not named here holds nothing that counts."""

    version: Literal[1] = 1
    files: tuple[CompactedFile, ...] = ()
