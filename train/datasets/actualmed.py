"""Actualmed-COVID-chestxray-dataset: 238 radiographs of one Spanish provider.

Files as cloned: `metadata.csv` and `images/<imagename>`. "No finding" says that COVID-19 was excluded, not that the lungs are normal,
and an empty finding that the test was inconclusive: neither can be used.
"""

from train.datasets.cohen import label_of, shared_facts
from train.datasets.files import SetFiles
from train.datasets.rows import Reading

COLUMNS = ("patientid", "finding", "view", "imagename")
LICENSE = "see source"


def read(files: SetFiles) -> Reading:
    """Return every row of the metadata; those with COVID-19 can be used."""
    reading = Reading()
    for row in files.table("metadata.csv", columns=COLUMNS):
        label = label_of(row["finding"])
        reading.consider(
            files,
            row["imagename"],
            files.find(row["imagename"]),
            None if label == "normal" else label,
            patient=row["patientid"],
            patient_id=f"actualmed-{row['patientid']}",
            source="actualmed",
            license=LICENSE,
            **shared_facts(row),
        )
    return reading
