"""PadChest: 160,000 radiographs of San Juan de Alicante as 16-bit PNG files, with labels read from Spanish reports.

Bustos et al., Medical Image Analysis 66 (2020) 101797. Files as downloaded: the label CSV (or its `.gz`) and the image folders 0 to 54,
unpacked or as zip files.
"""

import ast

from train.datasets.files import SetFiles
from train.datasets.rows import Reading, Why, age_in_years, sex_of

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
COLUMNS = ("imageid", "patientid", "projection", "labels", "studydate_dicom", "patientbirth", "patientsex_dicom", "pediatric")
LICENSE = "PadChest Dataset Research Use Agreement"
_COVID = {"covid 19", "covid-19"}  # in later label files of the same readers
_PNEUMONIA = {"pneumonia", "atypical pneumonia", "viral pneumonia"}
_NOTHING_NEW = {"unchanged"}  # says nothing of its own


def read(files: SetFiles) -> Reading:
    """Return every image that the label CSV lists. Normal is an image that has no other label."""
    reading = Reading()
    for row in files.table(TABLE, columns=COLUMNS):
        labels = _labels(row["labels"])
        reading.consider(
            files,
            row["imageid"],
            files.find(row["imageid"]),
            _label(labels),
            patient=row["patientid"],
            refused=(Why.BELOW_AGE_LIMIT, "marked as pediatric") if row["pediatric"].upper().startswith("PED") else None,
            patient_id=f"padchest-{row['patientid']}",
            source="padchest",
            finding=", ".join(labels),
            view=row["projection"].replace("_", " "),
            sex=sex_of(row["patientsex_dicom"]),
            age_years=_age(row["patientbirth"], row["studydate_dicom"]),
            license=LICENSE,
        )
    return reading


def _labels(text: str) -> list[str]:
    """Return the labels of a cell such as "['normal', 'unchanged']", sorted; empty where there are none."""
    try:
        values = ast.literal_eval(text) if text else []
    except (SyntaxError, ValueError):
        return []
    return sorted({str(value).strip().lower() for value in values if str(value).strip()}) if isinstance(values, list) else []


def _label(labels: list[str]) -> str | Why:
    found = set(labels) - _NOTHING_NEW
    ill = "covid" if found & _COVID else "pneumonia" if found & _PNEUMONIA else None
    if ill is not None:
        return Why.CONFLICTING_LABELS if "normal" in found else ill
    return "normal" if found == {"normal"} else Why.NO_USABLE_LABEL


def _age(born: str, taken: str) -> float | None:
    """Return the age from a year of birth (1950 or 1950.0) and a date of study that begins with its year."""
    if not born[:4].isdigit() or not taken[:4].isdigit():
        return None
    years = int(taken[:4]) - int(born[:4])
    return age_in_years(str(years)) if years >= 0 else None
