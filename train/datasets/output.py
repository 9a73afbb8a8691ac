"""Writes a manifest as CSV, and beside it the account of what is not in it.

NAME.csv            one radiograph a row, as train.data.manifest reads it
NAME.report.json    what went in, counts by split and label, reasons, near-duplicates
NAME.left-out.csv   every image that is not in the manifest: set, item, reason, detail
NAME.lung-masks/    masks that the sets have in parts, united
"""

import csv
import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from screening.archive.reader import ObjectReader
from screening.archive.urls import split_member
from screening.dicom.limits import Limits
from screening.errors import ImageRefused, TrainingError, UsageError
from screening.storage import filesystem_of, is_local, join, put_atomic, url_of
from train.data.manifest import UNLABELLED
from train.datasets.assemble import Assembled, SetAccount
from train.datasets.rows import Row
from train.datasets.split import RATIOS

FORMAT = 1  # of the report
COLUMNS = (
    *("image_id", "image", "lung_mask", "label", "finding", "patient_id", "source", "view", "sex", "age", "offset_days", "split", "origin"),
    *("license", "split_group"),
)
_SUFFIX = ".csv"


def write_manifest(assembled: Assembled, output: str) -> dict[str, Any]:
    """Write the manifest to `output` (a path or URL that ends in .csv) with its companions, and return the report.

    Paths are relative to the manifest where the images lie below its folder, else absolute. Raises UsageError for another ending and
    TrainingError for a mask that cannot be read.
    """
    stem = stem_of(output)
    folder = output.rpartition("/")[0] or "."
    ids = image_ids(assembled.rows)
    masks = _united_masks(assembled.rows, ids, f"{stem}.lung-masks")
    rows = zip(assembled.rows, ids, masks, assembled.splits, assembled.groups, strict=True)
    content = _csv(COLUMNS, (_cells(*row, folder) for row in rows))
    left_out = [(account.name, item.item, str(item.why), item.detail) for account in assembled.accounts for item in account.left_out]
    report = _report(assembled, ids, hashlib.sha256(content).hexdigest())
    put_atomic(f"{stem}.left-out.csv", _csv(("set", "item", "why", "detail"), left_out))
    put_atomic(f"{stem}.report.json", _json(report))
    put_atomic(output, content)  # last: a manifest that is there is whole
    return report


def stem_of(output: str) -> str:
    """Return the manifest's name without its ending. Raises UsageError where that is not .csv."""
    if not output.endswith(_SUFFIX):
        raise UsageError(f"{output}: a manifest's name ends in {_SUFFIX}")
    return output.removesuffix(_SUFFIX)


def image_ids(rows: Sequence[Row]) -> list[str]:
    """Return a name for each row: its own, or the source and the file's name; with a hash of the path behind it where two would agree."""
    ids = [row.image_id or f"{row.source}-{_safe(os.path.splitext(os.path.basename(row.origin))[0])}" for row in rows]
    often = Counter(ids)
    hashes = [hashlib.sha256(row.image_url.encode()).hexdigest()[:8] for row in rows]
    return [f"{name}-{digest}" if often[name] > 1 else name for name, digest in zip(ids, hashes, strict=True)]


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _cells(row: Row, image_id: str, mask: str, split: str, group: str, folder: str) -> tuple[str, ...]:
    """Return a row of the manifest, in the order of COLUMNS."""
    age = "" if row.age_years is None else f"{row.age_years:.3g}"
    path, mask_path = _path_from(row.image_url, folder), _path_from(mask, folder)
    facts = (row.label or "", row.finding, row.patient_id, row.source, row.view, row.sex, age, row.offset_days, split, row.origin)
    return (image_id, path, mask_path, *facts, row.license, group)


def _path_from(url: str, folder: str) -> str:
    """Return a file's path as seen from a folder: relative below it, else absolute; URLs and members of containers as they are."""
    member, plain_url = split_member(url)
    filesystem, path = filesystem_of(plain_url)
    if not url or member is not None or not is_local(filesystem):
        return url
    local = url.removeprefix("file://")
    for root in (os.path.abspath(folder), os.path.realpath(folder)):  # an archive's files are listed under its resolved name
        if path.startswith(root.rstrip("/") + "/"):
            return os.path.relpath(local, root)
    return local


def _united_masks(rows: Sequence[Row], ids: Sequence[str], folder: str) -> list[str]:
    """Return the URL of each row's lung mask, "" where it has none; what comes in parts is united into a file below `folder`."""
    masks = []
    with ObjectReader(Limits().max_bytes) as reader:
        for row, image_id in zip(rows, ids, strict=True):
            if len(row.lung_masks) < 2:
                masks.append(next(iter(row.lung_masks), ""))
                continue
            url = join(url_of(*filesystem_of(folder)), f"{_safe(image_id)}.png")
            put_atomic(url, _png(_union(reader, row.lung_masks)))
            masks.append(url)
    return masks


def _union(reader: ObjectReader, urls: Iterable[str]) -> np.ndarray:
    """Return where any of several masks of one size is not black, (h, w) bool."""
    parts = []
    for url in urls:
        try:
            with Image.open(io.BytesIO(reader.read(url))) as image:
                parts.append(np.asarray(image.convert("L")) > 0)
        except (ImageRefused, OSError, ValueError) as error:
            raise TrainingError(f"lung mask {url} cannot be read: {error}") from error
        if parts[-1].shape != parts[0].shape:
            raise TrainingError(f"lung mask {url} is {parts[-1].shape} pixels, the other part of it {parts[0].shape}")
    return np.logical_or.reduce(parts)


def _png(mask: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", optimize=True)  # one bit a pixel
    return buffer.getvalue()


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(report: dict[str, Any]) -> bytes:
    return (json.dumps(report, indent=2) + "\n").encode()


def _report(assembled: Assembled, ids: Sequence[str], digest: str) -> dict[str, Any]:
    """Return the account of a manifest: what went in, what it holds, what looks alike."""
    rows, splits = assembled.rows, assembled.splits
    config = asdict(assembled.config)
    del config["processes"]  # changes no byte of the manifest
    return {
        "format": FORMAT,
        "manifest_sha256": digest,
        **config,
        "ratios": {"with COVID-19": RATIOS[True], "others": RATIOS[False]},
        "sets": [_set_report(account) for account in assembled.accounts],
        "images": _counts((split, row.label or UNLABELLED) for row, split in zip(rows, splits, strict=True)),
        "lung_masks": dict(sorted(Counter(split for row, split in zip(rows, splits, strict=True) if row.lung_masks).items())),
        "patients": dict(sorted(Counter(split for _, split in {(r.patient_id, s) for r, s in zip(rows, splits, strict=True)}).items())),
        "near_duplicates": _likeness(assembled, ids),
    }


def _set_report(account: SetAccount) -> dict[str, Any]:
    facts = {name: getattr(account, name) for name in ("name", "folder", "listed", "unlisted", "kept", "notes")}
    return facts | {"left_out": account.reasons()}


def _counts(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for (split, label), n in sorted(Counter(pairs).items()):
        counts.setdefault(split, {})[label] = n
    return counts


def _likeness(assembled: Assembled, ids: Sequence[str]) -> dict[str, Any]:
    """Return how many images look alike, what that joined, and the pairs that an official split has on two sides."""
    rows, splits = assembled.rows, assembled.splits
    patients: dict[str, set[str]] = {}
    for row, group in zip(rows, assembled.groups, strict=True):
        patients.setdefault(group, set()).add(row.patient_id)
    crossing = [[ids[one], splits[one], ids[other], splits[other], bits] for one, other, bits in assembled.crossing()]
    return {
        "pairs": len(assembled.pairs),
        "pairs_of_two_patients": sum(rows[one].patient_id != rows[other].patient_id for one, other, _ in assembled.pairs),
        "pairs_of_two_labels": sum(rows[one].label != rows[other].label for one, other, _ in assembled.pairs),
        "groups_of_several_patients": sum(len(of) > 1 for of in patients.values()),
        "patients_of_the_largest_group": max(map(len, patients.values())),
        "crossing": len(crossing),
        "crossing_pairs": crossing,
    }
