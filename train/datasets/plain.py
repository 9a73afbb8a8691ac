"""A plain set: a `labels.csv` beside its images.

Columns: image and label (normal, pneumonia, covid or tuberculosis; empty where only the lung mask counts) are required; image_id,
lung_mask, patient_id, source, view, finding, sex, age, offset_days, origin, license and split (train, val or test) are taken over where
they are there. A split column is the set's official split and is kept; rows without an entry in it get one.
"""

import posixpath

from train.data.manifest import LABELS
from train.datasets.files import SetFiles
from train.datasets.rows import Reading, Why, age_in_years, sex_of

TABLE = "labels.csv"
NO_MASK = "lung masks that are named but not there"
_SPLITS = ("train", "val", "test")


def read(files: SetFiles, source: str = "plain") -> Reading:
    """Return every row of the table. Without a patient_id each image is a patient of its own; `source` is for rows that name none."""
    reading = Reading()
    for row in files.table(TABLE, columns=("image", "label")):
        image, label, split = row["image"], row["label"], row.get("split", "")
        mask = _file(files, row.get("lung_mask", ""))
        if row.get("lung_mask") and mask is None:
            reading.note(NO_MASK)
        reading.accounted |= {mask} - {None}
        reading.consider(
            files,
            image,
            _file(files, image),
            label if label in LABELS else Why.NO_USABLE_LABEL if label else None,
            patient=image,
            refused=(Why.UNREADABLE_ROW, f"split {split}") if split and split not in _SPLITS else None,
            patient_id=row.get("patient_id", "") or f"image {row.get('image_id', '') or image}",
            source=row.get("source", "") or source,
            origin=row.get("origin", ""),
            finding=row.get("finding", "") or label,
            view=row.get("view", ""),
            sex=sex_of(row.get("sex", "")),
            age_years=age_in_years(row.get("age", "")),
            offset_days=row.get("offset_days", ""),
            license=row.get("license", ""),
            lung_masks=() if mask is None else (mask,),
            split=split or None,
            image_id=row.get("image_id", "") or posixpath.splitext(image)[0],
        )
    return reading


def _file(files: SetFiles, path: str) -> str | None:
    """Return the URL of a path beside the table; an absolute path or URL as it is, for it may lie anywhere."""
    return path if "://" in path or path.startswith("/") else files.at(path) if path else None
