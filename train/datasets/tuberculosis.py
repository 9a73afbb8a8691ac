"""Montgomery County and Shenzhen: radiographs with and without tuberculosis, with outlines of the lungs.

Jaeger et al., Quantitative Imaging in Medicine and Surgery 4 (2014) 475. The last digit of a name says tuberculosis (1) or not (0), and
`ClinicalReadings/<name>.txt` the sex and age. Montgomery as downloaded: `CXR_png/` and a mask for each lung in `ManualMask/leftMask/` and
`ManualMask/rightMask/`, which are united. Shenzhen: `CXR_png/`, and 566 masks of Stirenko et al. (2018), `<name>_mask.png`, to be laid in
the same folder. An image with tuberculosis has that label: lungs with an infection to follow up, that is not COVID-19.
"""

import os
import re

from train.data.manifest import TUBERCULOSIS
from train.datasets.files import SetFiles
from train.datasets.rows import Reading, age_in_years, sex_of

LICENSE = "National Library of Medicine, with attribution"
MASK_FOLDERS = ("leftMask", "rightMask", "masks", "mask")
NO_MASK = "images without a lung mask"


def read_montgomery(files: SetFiles) -> Reading:
    """Return the 138 images of Montgomery County."""
    return _read(files, "montgomery", "MCUCXR", view="PA")


def read_shenzhen(files: SetFiles) -> Reading:
    """Return the 662 images of Shenzhen, 566 of which have masks."""
    return _read(files, "shenzhen", "CHNCXR", view="")


def _read(files: SetFiles, source: str, prefix: str, view: str) -> Reading:
    reading = Reading()
    names = [name for name in files.names() if re.fullmatch(rf"{prefix.lower()}_\d+_[01]\.png", name)]
    for name in names:
        stem = os.path.splitext(name)[0].upper()
        masks = _masks(files, stem)
        reading.accounted |= set(masks)
        if not masks:
            reading.note(NO_MASK)
        healthy = stem.endswith("0")
        sex, age = _clinical_reading(files, stem)
        reading.consider(
            files,
            stem,
            files.find(name, outside=MASK_FOLDERS),
            "normal" if healthy else TUBERCULOSIS,
            patient=stem,
            patient_id=f"{source}-{stem.split('_')[1]}",
            source=source,
            finding="normal" if healthy else TUBERCULOSIS,
            view=view,
            sex=sex,
            age_years=age,
            license=LICENSE,
            lung_masks=masks,
        )
    return reading


def _masks(files: SetFiles, stem: str) -> tuple[str, ...]:
    """Return the files whose union is the lung mask: one for both lungs, or one for each; empty where one is not there."""
    whole = files.find(f"{stem}_mask.png") or files.find(f"{stem}.png", within="masks") or files.find(f"{stem}.png", within="mask")
    if whole is not None:
        return (whole,)
    sides = [files.find(f"{stem}.png", within=side) for side in MASK_FOLDERS[:2]]
    return tuple(side for side in sides if side is not None) if all(sides) else ()


def _clinical_reading(files: SetFiles, stem: str) -> tuple[str, float | None]:
    """Return sex and age from "Patient's Sex: F / Patient's Age: 027Y" or "male 45yrs"; "" and None where they are not said."""
    url = files.find(f"{stem}.txt")
    text = files.text(url) if url else ""
    sex = re.search(r"\b(?:sex\W+)?(female|male|f|m)\b", text, re.IGNORECASE)
    age = re.search(r"\d+ *(?:[ymwd]|$)", text, re.IGNORECASE | re.MULTILINE)
    return sex_of(sex[1]) if sex else "", age_in_years(age[0]) if age else None
