"""Which side of the split every patient is on: drawn from a keyed hash of the patient, so that more images change nothing for the others.

The paper's ratios: 80 / 10 / 10 per cent of patients for training, tuning and test; 50 / 25 / 25 for those who have an image
with COVID-19.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from train.datasets.rows import DEVELOPMENT, Row, Why

RATIOS = {False: (0.8, 0.1, 0.1), True: (0.5, 0.25, 0.25)}  # train, val, test; by whether the group has an image with COVID-19
LATER_FIRST = ("test", "val", "train")  # where a patient is in several splits the first of these keeps him


def assign(rows: Sequence[Row], groups: Sequence[int], key: str) -> list[str | Why]:
    """Return the split of each row, or why it must be left out. `groups` must at least hold the rows of a patient together.

    Rows with an official split keep it, and the other rows of their group follow. Where official splits tear a group apart, rows without
    one are left out (JOINS_SPLITS), and a patient stays in the latest of his splits alone (PATIENT_CROSSES).
    """
    members: dict[int, list[int]] = {}
    for at, group in enumerate(groups):
        members.setdefault(group, []).append(at)
    splits: list[str | Why] = [""] * len(rows)
    for group in members.values():
        for at, split in zip(group, _assign_group([rows[at] for at in group], key), strict=True):
            splits[at] = split
    latest: dict[str, str] = {}
    for row, split in zip(rows, splits, strict=True):
        if not isinstance(split, Why):
            latest[row.patient_id] = min(split, latest.get(row.patient_id, split), key=LATER_FIRST.index)
    return [
        split if isinstance(split, Why) or latest[row.patient_id] == split else Why.PATIENT_CROSSES
        for row, split in zip(rows, splits, strict=True)
    ]


def _assign_group(rows: Sequence[Row], key: str) -> list[str | Why]:
    developed = split_of(rows, key, among=2)
    official = [developed if row.split == DEVELOPMENT else row.split for row in rows]
    sides = {split for split in official if split is not None}
    others = split_of(rows, key) if not sides else Why.JOINS_SPLITS if len(sides) > 1 else next(iter(sides))
    return [others if split is None else split for split in official]


def drawing_patient(patients: Iterable[str], key: str) -> tuple[str, float]:
    """Return the patient whose hash draws for a group, and the draw, in [0, 1).

    It is the one with the smallest hash, so that a group that gains a patient seldom changes sides.
    """
    digest, patient = min((hmac.new(key.encode(), patient.encode(), hashlib.sha256).digest(), patient) for patient in patients)
    return patient, int.from_bytes(digest[8:16]) / 2**64  # not from the bytes that decide the minimum: those are small in large groups


def split_of(rows: Sequence[Row], key: str, among: int = 3) -> str:
    """Return what is drawn for a group: train, val or test, or with `among` 2 only one of the first two."""
    shares = RATIOS[any(row.label == "covid" for row in rows)][:among]
    place = drawing_patient((row.patient_id for row in rows), key)[1] * sum(shares)
    return "train" if place < shares[0] else "val" if place < shares[0] + shares[1] else "test"
