"""covid-chestxray-dataset: images from publications and hospitals, COVID-19 and other pneumonia.

Cohen et al., arXiv 2006.11988. Files as cloned: `metadata.csv` and `images/`. The finding was one word at first and is a path today
(`Pneumonia/Viral/COVID-19`); both are read.
"""

import re
from typing import Any

from train.datasets.files import SetFiles
from train.datasets.rows import Reading, Why, age_in_years, sex_of

COLUMNS = ("patientid", "finding", "view", "filename")
# findings of the first, flat tables that the later ones have below Pneumonia/
_PNEUMONIA = {
    *("pneumonia", "sars", "mers", "mers-cov", "streptococcus", "klebsiella", "chlamydophila", "legionella", "e.coli", "pneumocystis"),
    *("influenza", "h1n1", "varicella", "mycoplasma", "lipoid", "aspiration", "bacterial", "viral", "fungal"),
}


def read(files: SetFiles) -> Reading:
    """Return every row of the metadata, CT slices and lateral views left out."""
    reading = Reading()
    for row in files.table("metadata.csv", columns=COLUMNS):
        name, modality = row["filename"], row.get("modality", "") or ("CT" if row["view"].upper() == "CT" else "X-ray")
        reading.consider(
            files,
            name,
            files.find(name, within=row.get("folder", "") or "images"),
            label_of(row["finding"]),
            patient=row["patientid"],
            refused=None if modality.upper() == "X-RAY" else (Why.NOT_A_RADIOGRAPH, modality),
            patient_id=f"cohen-{row['patientid']}",
            source="cohen",
            license=row.get("license", ""),
            **shared_facts(row),
        )
    return reading


def shared_facts(row: dict[str, str]) -> dict[str, Any]:
    """Return finding, view, sex, age and offset from columns that this set and those made after its model have."""
    return {
        "finding": row["finding"],
        "view": row["view"],
        "sex": sex_of(row.get("sex", "")),
        "age_years": age_in_years(row.get("age", "")),
        "offset_days": row.get("offset", ""),
    }


def label_of(finding: str) -> str | None:
    """Return the label for a finding of this set or of those that took over its columns; None where it is none of the three."""
    found = {part.strip().lower() for part in re.split(r"[/,]", finding)}
    if "covid-19" in found:
        return "covid"
    if found & _PNEUMONIA:
        return "pneumonia"
    return "normal" if found & {"no finding", "normal"} else None
