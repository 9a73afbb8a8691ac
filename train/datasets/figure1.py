"""Figure1-COVID-chestxray-dataset: a few dozen images sent in by physicians through Figure 1.

Files as cloned: `metadata.csv` and `images/<patientid>.jpg` or `.png`. A letter behind the number tells images of one patient apart.
"""

import re

from train.datasets.cohen import label_of, shared_facts
from train.datasets.files import SetFiles
from train.datasets.rows import Reading, Why

COLUMNS = ("patientid", "finding", "view")
LICENSE = "see source"
_SUFFIXES = (".jpg", ".png", ".jpeg")


def read(files: SetFiles) -> Reading:
    """Return every row of the metadata; its view is often unknown."""
    reading = Reading()
    for row in files.table("metadata.csv", columns=COLUMNS):
        name, modality = row["patientid"], row.get("modality", "") or "X-ray"
        reading.consider(
            files,
            name,
            next(filter(None, (files.find(name + suffix) for suffix in _SUFFIXES)), None),
            label_of(row["finding"]),
            patient=name,
            refused=None if modality.upper() == "X-RAY" else (Why.NOT_A_RADIOGRAPH, modality),
            patient_id=patient_of(name),
            source="figure1",
            license=LICENSE,
            **shared_facts(row),
        )
    return reading


def patient_of(image: str) -> str:
    """Return the patient of an image: figure1-COVID-00003 for COVID-00003a."""
    return "figure1-" + re.sub(r"(?<=\d)[a-z]$", "", image)
