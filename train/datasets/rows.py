"""What a reader makes of a public data set: the rows that can be trained on, and a reason for everything else."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from train.datasets.files import SetFiles

DEVELOPMENT = "development"  # of an official split that only says what is not test: training and tuning are cut from it
_YEARS_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_MAX_AGE_YEARS = 120  # above that a number was mistyped


class Why(StrEnum):
    """Why a row or a file of a data set is not in the manifest. What the gate of ingest refuses has `gate_` before the gate's reason."""

    def __new__(cls, value: str, description: str) -> "Why":
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    description: str

    LATERAL_VIEW = "lateral_view", "taken from the side"
    OTHER_VIEW = "other_view", "a projection that is neither PA nor AP nor lateral, or that the set itself excludes"
    NOT_A_RADIOGRAPH = "not_a_radiograph", "CT or another modality"
    BELOW_AGE_LIMIT = "below_age_limit", "the patient is younger than the limit"
    NO_USABLE_LABEL = (
        "no_usable_label",
        "the finding is none of normal, pneumonia, COVID-19 and tuberculosis, and there is no lung mask to learn from",
    )
    CONFLICTING_LABELS = "conflicting_labels", "the set, or two of them, says different things of the same image"
    UNREADABLE_ROW = "unreadable_row", "the row lacks what names its image or patient"
    IMAGE_MISSING = "image_missing", "the row names an image that is not there"
    NOT_LISTED = "not_listed", "an image file that no row names"
    SAME_IMAGE = "same_image", "the pixels of another row, which counts in its place"
    PATIENT_CROSSES = (
        "patient_crosses",
        "the official split has the patient on several sides: kept in test, or else val, alone",
    )
    JOINS_SPLITS = "joins_splits", "shown again, or another image of its patient is, on two sides of an official split"


@dataclass(slots=True)
class Row:
    """One radiograph of a public set that can be trained on.

    `label` is normal, pneumonia, covid, tuberculosis, or None for an image that only its lung mask is used of. `patient_id` begins with
    the name of the set that numbers the patient, so that one person has one name in every set that copies from it. `lung_masks` are the
    files whose union is the mask. `split` is the set's own: train, val, test, DEVELOPMENT, or None where it has none.
    `age_years` is None where unknown or absurd; the other texts are empty where unknown.
    """

    image_url: str
    patient_id: str
    label: str | None
    source: str
    origin: str = ""  # path below the set's folder
    finding: str = ""
    view: str = ""
    sex: str = ""
    age_years: float | None = None
    offset_days: str = ""
    license: str = ""
    lung_masks: tuple[str, ...] = ()
    split: str | None = None
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row or a file that is not in the manifest: which, why (a `Why` or a gate's reason), and what the set says of it."""

    item: str
    why: str
    detail: str = ""


@dataclass
class Reading:
    """Everything that a set lists: each of its images is either a row or left out. `notes` counts what rows had to do without."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    accounted: set[str] = field(default_factory=set)  # URLs of image files that were left out, or are masks

    @property
    def listed(self) -> int:
        """How many images the set lists."""
        return len(self.rows) + len(self.left_out)

    def consider(
        self,
        files: SetFiles,
        item: str,
        url: str | None,
        label: str | Why | None,
        *,
        patient: str,
        refused: tuple[Why, str] | None = None,
        **facts: Any,
    ) -> None:
        """Settle what becomes of one listed image: a row, or left out with the first reason that applies.

        Args:
            files: the set.
            item: the name that the table calls the image by; "" where it has none.
            url: the image file, None where it is not there.
            label: normal, pneumonia, covid or tuberculosis; or why there is none; None where the finding is none of them.
            patient: the patient's number in the table; "" where it has none. `facts["patient_id"]` is the name it gets.
            refused: what the reader itself found against the image.
            facts: the other fields of `Row`.
        """
        problem = view_problem(facts.get("view", ""))
        if not item or not patient:
            self.leave_out(item, Why.UNREADABLE_ROW, "no name of an image or no patient", url)
        elif refused is not None:
            self.leave_out(item, *refused, url)
        elif problem is not None:
            self.leave_out(item, problem, facts["view"], url)
        elif isinstance(label, Why) or (label is None and not facts.get("lung_masks")):
            self.leave_out(item, label or Why.NO_USABLE_LABEL, facts.get("finding") or "no finding stated", url)
        elif url is None:
            self.leave_out(item, Why.IMAGE_MISSING)
        else:
            facts["origin"] = facts.get("origin") or files.path(url)
            self.rows.append(Row(url, label=label, **facts))

    def leave_out(self, item: str, why: Why, detail: str = "", url: str | None = None) -> None:
        """Count one listed image as left out; `url` is its file, where there is one."""
        self.left_out.append(LeftOut(item, why, detail))
        if url is not None:
            self.accounted.add(url)

    def note(self, what: str) -> None:
        """Count something that a row had to do without."""
        self.notes[what] = self.notes.get(what, 0) + 1


def view_problem(view: str) -> Why | None:
    """Return why a view is not used; None for frontal ones and for those that are not stated."""
    word = view.strip().upper()
    if not word or word.startswith(("PA", "AP")):
        return None
    return Why.LATERAL_VIEW if word in ("L", "LL", "RL", "LLD") or word.startswith("LAT") else Why.OTHER_VIEW


def age_in_years(text: str) -> float | None:
    """Return the age that a table states as "58", "058Y", "009M", "45yrs" or "50+"; None where there is no number or an absurd one."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*([YMWD]?)", text.upper())
    if found is None:
        return None
    years = float(found[1]) * _YEARS_PER_UNIT[found[2] or "Y"]
    return years if years <= _MAX_AGE_YEARS else None


def sex_of(text: str) -> str:
    """Return M, F, or "" where the text says neither."""
    letter = text.strip()[:1].upper()
    return letter if letter in ("M", "F") else ""
