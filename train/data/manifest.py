"""The manifest of a data set: a CSV with one labelled radiograph a row, checked before anything is trained on it."""

import hashlib
import io
import os
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from screening.errors import TrainingError, UsageError
from screening.storage import filesystem_of, split_url

GROUPS = ("normal", "pneumonia", "covid")  # what the cascade tells apart
TUBERCULOSIS = "tuberculosis"  # a label of its own that counts as pneumonia: lungs with an infection to follow up that is not COVID-19
LABELS = (*GROUPS, TUBERCULOSIS)
SPLITS = ("train", "val", "test")  # val is the tuning split
UNLABELLED = "lung mask only"  # stands for the label of an image that has none, in counts
REQUIRED = ("image", "label", "split")
OPTIONAL = ("image_id", "lung_mask", "patient_id", "source", "view", "license")
_FAULTS_SHOWN = 3


@dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    `table` has the columns image_id, image_url, lung_mask_url (null where there is none), label (one of GROUPS, null where only the mask
    counts), finding (the label as it is written), split, patient_id, source, view, license, all strings, in the order of the file.
    `digest` is the SHA-256 of the file, and of what was left out of it.
    """

    url: str
    digest: str
    table: pl.DataFrame

    def part(self, split: str) -> "Manifest":
        """Return the rows of one split. Raises UsageError where it has none."""
        table = self.table.filter(pl.col("split") == split)
        if table.is_empty():
            known = ", ".join(sorted(self.table["split"].unique()))
            raise UsageError(f"{self.url} has no image in split {split!r} (--split): there are {known}")
        return replace(self, table=table)

    def without_licenses(self, pattern: str) -> "Manifest":
        """Return the rows whose licence a regular expression does not find, in any case. Raises UsageError for a pattern that is none."""
        try:
            re.compile(pattern)
        except re.error as error:
            raise UsageError(f"--exclude-license {pattern!r} is no regular expression: {error}") from error
        named = self.table["license"].fill_null("").to_list()
        clear = pl.Series([re.search(pattern, text, re.IGNORECASE) is None for text in named], dtype=pl.Boolean)
        return self.keeping(clear, f"without licences {pattern}")

    def without_tuberculosis(self) -> "Manifest":
        """Return the manifest with tuberculosis left out of stages 2 and 3: of such an image its lung mask alone counts."""
        label = pl.when(pl.col("finding") == TUBERCULOSIS).then(None).otherwise(pl.col("label"))
        kept = replace(self, table=self.table.with_columns(label.alias("label")))
        return kept.keeping(pl.col("label").is_not_null() | pl.col("lung_mask_url").is_not_null(), "without tuberculosis")

    def keeping(self, rows: pl.Expr | pl.Series, why: str) -> "Manifest":
        """Return the rows for which a condition holds, with a digest that says so."""
        table = self.table.filter(rows)
        return replace(self, table=table, digest=hashlib.sha256(f"{self.digest} {why}".encode()).hexdigest())

    def training_data(self) -> dict[str, Any]:
        """Return what a bundle says of the data it was trained on: counts by split and label, sources, patients, the file's digest."""
        counts = {split: {} for split in SPLITS}
        for split, label, n in self.table.group_by("split", "label").len().sort("split", "label").iter_rows():
            counts[split][label or UNLABELLED] = n
        tuberculous = self.table.filter(pl.col("finding") == TUBERCULOSIS).height
        masks = self.table.filter(pl.col("lung_mask_url").is_not_null()).group_by("split").len().sort("split")
        return {
            "manifest_sha256": self.digest,
            "images": counts,
            **({"tuberculosis_as_pneumonia": tuberculous} if tuberculous else {}),
            "lung_masks": dict(masks.iter_rows()),
            "patients": self.table["patient_id"].n_unique(),
            "sources": dict(sorted(Counter(self.table["source"].fill_null("unknown")).items())),
        }


def read_manifest(url: str) -> Manifest:
    """Read and check a manifest, a CSV under any fsspec URL.

    Columns: image, label (normal, pneumonia, covid, or tuberculosis, which counts as pneumonia) and split (train, val or test) are
    required; image_id, lung_mask, patient_id, source, view and license are used where present, others are ignored. Paths are relative to
    the CSV; URLs are taken as they are.
    The label may be empty where there is a lung mask: stage 1 learns from the image, the others do not. Without a patient_id each image
    counts as a patient of its own. Raises TrainingError, which names the column and the lines, for a missing column, an unknown label or
    split, an image twice, and a patient in two splits.
    """
    content = _read(url)
    try:
        table = pl.read_csv(io.BytesIO(content), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise TrainingError(f"{url} is not a CSV file with a header: {error}") from error
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        raise TrainingError(f"{url} lacks the column {', '.join(missing)}; it needs {', '.join(REQUIRED)}")
    table = table.with_columns(pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in table.columns)
    if table.is_empty():
        raise TrainingError(f"{url} has no rows")
    _check_values(url, table)
    return Manifest(url, hashlib.sha256(content).hexdigest(), _resolved(url, table))


def _read(url: str) -> bytes:
    try:
        filesystem, path = filesystem_of(url)
        return filesystem.cat_file(path)
    except OSError as error:
        raise TrainingError(f"{url} cannot be read: {error}") from error


def _resolved(url: str, table: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `Manifest.table`: paths become URLs, absent names are filled in."""
    # workers may run in another folder than the driver, so that a local path must be absolute
    folder = os.path.dirname(os.path.abspath(split_url(url)[1])) if split_url(url)[0] == "file" else posixpath.dirname(url)

    def absolute(path: str) -> str:
        return path if "://" in path or path.startswith("/") else posixpath.join(folder, path)

    image_id = pl.coalesce("image_id", "image").alias("image_id")
    return table.select(
        image_id,
        pl.col("image").map_elements(absolute, return_dtype=pl.String).alias("image_url"),
        pl.col("lung_mask").map_elements(absolute, return_dtype=pl.String).alias("lung_mask_url"),
        pl.col("label").replace(TUBERCULOSIS, "pneumonia"),
        pl.col("label").alias("finding"),
        "split",
        pl.coalesce("patient_id", pl.lit("image ") + image_id).alias("patient_id"),
        "source",
        "view",
        "license",
    )


def _check_values(url: str, table: pl.DataFrame) -> None:
    """Raise TrainingError for values that would train on the wrong thing. Names lines, never a patient."""
    numbered = table.with_row_index("line", offset=2)  # line 1 is the header
    _refuse(url, numbered.filter(pl.col("image").is_null()), "no image")
    for column, known in (("label", LABELS), ("split", SPLITS)):
        missing = pl.lit(True) if column == "split" else pl.col("lung_mask").is_null()
        _refuse(url, numbered.filter(pl.col(column).is_in(known).not_().fill_null(missing)), f"{column} is not one of {', '.join(known)}")
    _refuse(url, numbered.filter(pl.col("image").is_duplicated()), "the same image more than once")
    crossing = numbered.filter(pl.col("patient_id").is_not_null() & (pl.col("split").n_unique().over("patient_id") > 1))
    _refuse(url, crossing, "a patient in more than one split, so that the test would be on people seen in training")


def _refuse(url: str, faulty: pl.DataFrame, fault: str) -> None:
    if not faulty.is_empty():
        lines = ", ".join(str(line) for line in faulty["line"].head(_FAULTS_SHOWN))
        more = ", …" if faulty.height > _FAULTS_SHOWN else ""
        raise TrainingError(f"{url}, {faulty.height} rows (lines {lines}{more}): {fault}")
