"""Cases: results made elsewhere, one person a row of a CSV file, put through the same views as a results folder.

The columns are found by their names (`SYNONYMS`) or by a mapping. All cells are taken as text, so that an identifier keeps its zeros;
`analytics/sql/case_rows.sql` reads them.
"""

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import polars as pl
import pyarrow as pa

from screening.errors import ReferenceTableError, UsageError
from screening.storage import read_bytes

# ours → other names for it, compared without case and punctuation
SYNONYMS: dict[str, tuple[str, ...]] = {
    "case_id": ("case", "id", "patient", "patient id", "patient_pseudonym", "person", "person id", "subject", "subject id"),
    "label": ("truth", "ground truth", "rt pcr", "rt pcr result", "pcr", "pcr result", "result", "diagnosis", "target", "y_true"),
    "covid_positive": ("stage3_positive", "positive", "call", "called", "prediction", "predicted", "y_pred", "ai_positive"),
    "covid_score": ("stage3_score", "score", "probability", "covid_probability", "y_score", "ai_score"),
    "pneumonia_positive": ("stage2_positive",),
    "pneumonia_score": ("stage2_score", "pneumonia_probability"),
    "radiograph_date": ("cxr_date", "StudyDate", "xray_date", "image_date", "AcquisitionDate"),
    "symptom_onset_date": ("symptom onset", "onset", "onset_date"),
    "specimen_date": ("sample_date", "swab_date", "collection_date"),
    "result_date": ("rt_pcr_confirmed_date", "confirmed_date", "confirmation_date", "report_date", "rt_pcr_date", "pcr_date"),
    "reading": ("radiologist", "radiologist_reading"),
    "PatientSex": ("sex", "gender"),
    "age_years": ("age", "PatientAge"),
    "ViewPosition": ("view", "projection"),
    "InstitutionName": ("site", "hospital", "institution"),
    "Manufacturer": ("vendor",),
}


@dataclass(frozen=True)
class Cases:
    """One file of cases: its rows under our names and under its own."""

    name: str  # of the file, without its ending
    digest: str  # stands where a bundle's digest would: 64 hex digits over the name and the bytes
    texts: (
        pa.Table
    )  # bundle_digest, object_id, object_url, case_row and every name of SYNONYMS, as text; null where the file has no such column
    given: pa.Table  # every column of the file under its own name, and bundle_digest and object_id
    mapping: Mapping[str, str]  # ours → the file's own column


def load_cases(url: str, columns: Mapping[str, str] | None = None) -> Cases:
    """Return a CSV file of cases. `columns`: ours → the file's own name, for what the synonyms do not find.

    Raises UsageError where the file does not exist or a column is missing or doubtful, ReferenceTableError for what is no CSV.
    """
    try:
        data = read_bytes(url)
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist") from None
    try:
        given = pl.read_csv(io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")), infer_schema=False)
    except pl.exceptions.PolarsError:
        raise ReferenceTableError(f"{url} is not CSV in UTF-8 with a header line and equally long rows") from None
    mapping = map_columns(given.columns, columns or {}, url)
    name = PurePosixPath(url).name.removesuffix(".csv")
    digest = hashlib.sha256(name.encode() + b"\0" + data).hexdigest()
    row = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    keys = [hashlib.sha256(f"{digest}{number}".encode()).hexdigest()[:32] for number in range(1, len(given) + 1)]
    texts = given.select(
        pl.lit(digest).alias("bundle_digest"),
        pl.Series("object_id", keys, pl.String),
        (pl.lit(f"{url}#") + row.cast(pl.String)).alias("object_url"),
        row.alias("case_row"),
        *((pl.col(mapping[ours]) if ours in mapping else pl.lit(None, pl.String)).alias(ours) for ours in SYNONYMS),
    )
    named = given.with_columns(texts["bundle_digest"], texts["object_id"])
    return Cases(name, digest, texts.to_arrow(), named.to_arrow(), mapping)


def map_columns(header: Sequence[str], columns: Mapping[str, str], name: str) -> dict[str, str]:
    """Return ours → the file's own column, by the mapping first and then by the synonyms. Raises UsageError where that is not clear."""
    for ours, theirs in columns.items():
        if ours not in SYNONYMS:
            raise UsageError(f"--column {ours}={theirs}: ours are {', '.join(SYNONYMS)}")
        if theirs not in header:
            raise UsageError(f"--column {ours}={theirs}: {name} has no column {theirs}, but {', '.join(header)}")
    mapping = dict(columns)
    for ours, others in SYNONYMS.items():
        known = {_plain(word) for word in (ours, *others)}
        fitting = [column for column in header if _plain(column) in known and column not in columns.values()]
        exact = [column for column in fitting if column == ours]
        if ours in mapping or not fitting:
            continue
        if len(fitting) > 1 and not exact:
            raise UsageError(f"{name}: {', '.join(fitting)} could each be {ours}. Say which with --column {ours}={fitting[0]}")
        mapping[ours] = (exact or fitting)[0]
    if not {"covid_positive", "covid_score"} & mapping.keys():
        raise UsageError(f"{name} has neither a call nor a score. Name one: --column covid_positive=COLUMN or --column covid_score=COLUMN")
    return mapping


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
