"""covid-19-image-repository: radiographs of patients with COVID-19 at Hannover Medical School.

Winther et al., doi 10.25835/0090041. Files as cloned: `data.csv` and `png/<image_id>.png`.
"""

from train.datasets.files import SetFiles
from train.datasets.rows import Reading, Why, age_in_years, sex_of

COLUMNS = ("patient_id", "image_id", "modality", "projection")
LICENSE = "CC BY 3.0"
_RADIOGRAPHS = ("CR", "DX", "")


def read(files: SetFiles) -> Reading:
    """Return every row of the table; every patient of the repository has COVID-19.

    The table counts days from the image to the admission; `offset_days` counts from the admission to the image.
    """
    reading = Reading()
    for row in files.table("data.csv", columns=COLUMNS):
        name, modality, admission = row["image_id"], row["modality"], row.get("admission_offset", "")
        reading.consider(
            files,
            name,
            files.find(f"{name}.png"),
            "covid",
            patient=row["patient_id"],
            refused=None if modality.upper() in _RADIOGRAPHS else (Why.NOT_A_RADIOGRAPH, modality),
            patient_id=f"hannover-{row['patient_id']}",
            source="hannover",
            finding="COVID-19",
            view=row["projection"].upper(),
            sex=sex_of(row.get("sex", "")),
            age_years=age_in_years(row.get("age", "")),
            offset_days=f"{-float(admission):g}" if admission else "",
            license=LICENSE,
        )
    return reading
