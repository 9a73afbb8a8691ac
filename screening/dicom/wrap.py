"""Wrap existing radiographs (PNG or JPEG files and a table of what is known of them) into DICOM, to make an archive of real images.

    OUTPUT/archive/<source>/<image_id>.dcm   Computed Radiography
    OUTPUT/labels.csv                        the rows of the table, with SOPInstanceUID and the object's path

A grayscale baseline JPEG file keeps its coded stream as it is; everything else is decoded and coded anew, 8 or 16 bits as it came. So is
a picture that EXIF turns, because DICOM viewers do not read EXIF.
UIDs follow from `image_id`, so a second run writes the same bytes. Only `StudyDate` is made up, for public collections have none: the days
since symptom onset are kept between the images of one patient. Rows say so in ImageComments.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from screening.dicom.uids import seed_of, uid_of
from screening.dicom.writer import TRANSFER_SYNTAXES, Coding, StudyAttributes, age_string, build_dataset, to_bytes
from screening.errors import ScreeningError, UsageError
from screening.storage import join, put_atomic, read_bytes

REQUIRED_COLUMNS = ("image_id", "image", "patient_id")
OBJECT_COLUMNS = ("SOPInstanceUID", "object")
_FIRST_DAY = date(2020, 2, 3)
_THREADS = 2
_MAX_PIXELS = 100_000_000


@dataclass
class DicomizeSummary:
    """What was written, and the rows that could not be."""

    archive_url: str
    labels_url: str
    written: int = 0
    kept_streams: int = 0  # JPEG files whose coded stream was kept
    failures: list[str] = field(default_factory=list)  # one line each: row, file, what is wrong


class DicomizeError(ScreeningError):
    """Some rows could not be wrapped; the others were."""

    def __init__(self, summary: DicomizeSummary):
        shown = "\n  ".join(summary.failures[:20])
        more = f"\n  and {len(summary.failures) - 20} more" if len(summary.failures) > 20 else ""
        super().__init__(f"{len(summary.failures)} rows could not be wrapped, {summary.written} were:\n  {shown}{more}")
        self.summary = summary


def dicomize(
    labels_url: str,
    output_url: str,
    *,
    transfer_syntax: str | None = None,
    limit: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> DicomizeSummary:
    """Write one CR file per row of `labels_url` below `output_url` and return the counts.

    `transfer_syntax` names one of TRANSFER_SYNTAXES; without it JPEG files keep their stream and others become explicit little endian.
    Raises UsageError for a table that lacks a column and DicomizeError, after everything else was written, where images are missing
    or unreadable.
    """
    if transfer_syntax is not None and transfer_syntax not in TRANSFER_SYNTAXES:
        raise UsageError(f"no transfer syntax {transfer_syntax!r}; known are {', '.join(TRANSFER_SYNTAXES)}")
    rows, columns = read_table(labels_url, limit)
    summary = DicomizeSummary(join(output_url, "archive"), join(output_url, "labels.csv"))
    folder = labels_url.rpartition("/")[0] or "."
    written = []
    for batch in _batches(rows, 64):
        with ThreadPoolExecutor(_THREADS) as pool:
            results = list(pool.map(lambda numbered: _wrap_row(*numbered, folder, output_url, transfer_syntax), batch))
        for row, kept, failure in results:
            if failure:
                summary.failures.append(failure)
            else:
                written.append(row)
                summary.kept_streams += kept
        if on_progress:
            on_progress(len(batch))
    summary.written = len(written)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*columns, *OBJECT_COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(written)
    put_atomic(summary.labels_url, text.getvalue().encode())
    if summary.failures:
        raise DicomizeError(summary)
    return summary


def read_table(labels_url: str, limit: int | None = None) -> tuple[list[dict[str, str]], list[str]]:
    """Return rows and columns of a labels table. Raises UsageError where it cannot be read, lacks a column, or repeats an image_id."""
    try:
        text = read_bytes(labels_url).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{labels_url} cannot be read: {error}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [column for column in reader.fieldnames or () if column not in OBJECT_COLUMNS]
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if missing:
        raise UsageError(f"{labels_url} lacks the column {', '.join(missing)}; its first line must name {', '.join(REQUIRED_COLUMNS)}")
    rows = [{column: row[column] or "" for column in columns} for row in reader]
    names = [_safe(row["image_id"]) for row in rows]
    if len(set(names)) < len(names):
        repeated = next(name for at, name in enumerate(names) if name in names[:at])
        raise UsageError(f"{labels_url} has image_id {repeated} twice; each needs its own")
    return rows[:limit], columns


def _batches(rows: list[dict[str, str]], count: int) -> Iterator[list[tuple[int, dict[str, str]]]]:
    numbered = list(enumerate(rows, start=2))  # as an editor numbers the lines of the table
    for start in range(0, len(numbered), count):
        yield numbered[start : start + count]


def _wrap_row(
    line: int, row: dict[str, str], folder: str, output_url: str, transfer_syntax: str | None
) -> tuple[dict[str, str], bool, str | None]:
    """Write one row's file. Return its row with the object's columns, whether its JPEG stream was kept, and what failed."""
    url = join(folder, row["image"]) if row["image"] else ""
    try:
        if not url:
            raise ValueError("no image is named")
        study = attributes_of(row)
        data, kept = wrap_image(read_bytes(url), study, transfer_syntax)
    except (OSError, ValueError, UsageError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        return row, False, f"line {line}, image_id {row['image_id']}, {url or 'no file'}: {error}"
    path = f"archive/{_safe(row.get('source', '') or 'images')}/{_safe(row['image_id'])}.dcm"
    put_atomic(join(output_url, path), data)
    return row | {"SOPInstanceUID": study.SOPInstanceUID, "object": path}, kept, None


def _safe(name: str) -> str:
    """Return `name` as a file name: PS3.10 and every store can live with these letters."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "unnamed"


def wrap_image(image: bytes, study: StudyAttributes, transfer_syntax: str | None = None) -> tuple[bytes, bool]:
    """Return the DICOM file of one PNG or JPEG file, and whether the file's own JPEG stream is in it.

    Raises ValueError, OSError or Pillow's UnidentifiedImageError for what is no image, UsageError where its bits do not fit the syntax.
    """
    with Image.open(io.BytesIO(image)) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise ValueError(f"{opened.width} x {opened.height} pixels are more than {_MAX_PIXELS}")
        shape = opened.height, opened.width
        is_turned = opened.getexif().get(ExifTags.Base.Orientation, 1) != 1
        if transfer_syntax in (None, "jpeg_baseline") and opened.format == "JPEG" and not is_turned and is_grayscale_baseline(image):
            opened.load()  # a stream that ends early fails here and not in the middle of the night
            return to_bytes(build_dataset(image, study, Coding(8, windows=((128.0, 256.0),)), "jpeg_baseline", shape)), True
        was_lossy = opened.format == "JPEG"
        pixels = to_gray(ImageOps.exif_transpose(opened) if is_turned else opened)
    bits = 8 * pixels.dtype.itemsize
    center, width = float(1 << bits - 1), float(1 << bits)
    dataset = build_dataset(pixels, study, Coding(bits, windows=((center, width),)), transfer_syntax or "explicit_little_endian")
    if was_lossy and dataset.LossyImageCompression == "00":  # once lossy, always said (PS3.3 C.7.6.1.1.5)
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = f"{pixels.nbytes / len(image):.3f}"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"
    elif not was_lossy and dataset.LossyImageCompression == "00":
        del dataset.LossyImageCompression  # a PNG file may have been anything before
    return to_bytes(dataset), False


def is_grayscale_baseline(stream: bytes) -> bool:
    """Return whether a JPEG stream is process 1 with one component of 8 bits: what transfer syntax ...4.50 may hold as it is."""
    at = 2
    while at + 10 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker == 0xC0 and stream[at + 4] == 8 and stream[at + 9] == 1
        at += 2 + int.from_bytes(stream[at + 2 : at + 4])
    return False


def to_gray(image: Image.Image) -> np.ndarray:
    """Return a Pillow image as (rows, columns) uint8 or uint16; colours become luminance."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("its values leave 16 bits")
        return values.astype(np.uint16)
    return np.asarray(image.convert("L"))


def attributes_of(row: dict[str, str]) -> StudyAttributes:
    """Return the header for one row of a labels table. What DICOM has no form for, as an age of "50+", goes to ImageComments."""
    age, offset = _number(row.get("age", "")), _number(row.get("offset_days", ""))
    patient = row["patient_id"] or row["image_id"]
    study_date = made_up_date(patient, int(offset or 0)).strftime("%Y%m%d")
    view = row.get("view", "").strip()
    position = next((known for known in ("PA", "AP") if view.upper().startswith(known)), "LL" if view.upper().startswith("L") else "")
    notes = ["StudyDate is made up"]
    if view and view != position:
        notes.append(f"view as given: {view}")
    if row.get("age") and (age is None or not 0 <= age < 1000):
        notes.append(f"age as given: {row['age']}")
    if row.get("license"):
        notes.append(f"licence: {row['license']}")
    return StudyAttributes(
        StudyInstanceUID=uid_of("dicomized study", row["image_id"]),
        SeriesInstanceUID=uid_of("dicomized series", row["image_id"]),
        SOPInstanceUID=uid_of("dicomized image", row["image_id"]),
        PatientID=patient[:64],
        PatientSex=row.get("sex", "").upper() if row.get("sex", "").upper() in ("M", "F", "O") else "",
        PatientAge=age_string(age) if age is not None and 0 <= age < 1000 else "",
        StudyDate=study_date,
        AcquisitionDate=study_date,
        StudyID="1",
        InstitutionName=row.get("source", "")[:64],
        ViewPosition=position,
        ImagerPixelSpacing=None,
        ImageComments="; ".join(notes)[:10240],
    )


def _number(text: str) -> float | None:
    """Return what `text` says as a number in [-10000, 10000], None where it says none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -10000 <= value <= 10000 else None


def made_up_date(patient: str, offset_days: int) -> date:
    """Return the StudyDate of an image: a first day that follows from the patient, and the days since symptom onset after it."""
    return _FIRST_DAY + timedelta(days=seed_of("first day", patient) % 42 + offset_days)
