"""RSNA Pneumonia Detection Challenge: 26,684 radiographs of the NIH set as DICOM files, read again by radiologists.

Shih et al., Radiology: Artificial Intelligence 1 (2019) e180041. Files as downloaded from the challenge: `stage_2_train_images/*.dcm`,
`stage_2_train_labels.csv` (one row a box), `stage_2_detailed_class_info.csv`. What the challenge calls a patient is an image: the RSNA's
own `pneumonia-challenge-dataset-mappings_2018.json` names the NIH image behind each, and so the patient. Without it images of one patient
can only be kept together where they look alike, so lay it beside the tables.
"""

import json

from screening.errors import TrainingError
from train.datasets.files import SetFiles
from train.datasets.rows import Reading, Why

BOXES, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
MAPPINGS = ("pneumonia-challenge-dataset-mappings_2018.json", "mappings.json")
LICENSE = "RSNA Pneumonia Detection Challenge rules"
NO_MAPPING = "images whose patient is unknown, for the mapping to NIH images is not there"
_LABELS = {"normal": "normal", "lung opacity": "pneumonia"}


def read(files: SetFiles) -> Reading:
    """Return every image that the two tables list: a lung opacity is pneumonia, "No Lung Opacity / Not Normal" is of no use.

    View, sex and age stand in the DICOM headers.
    """
    boxes: dict[str, set[str]] = {}
    for row in files.table(BOXES, columns=("patientid", "target")):
        boxes.setdefault(row["patientid"], set()).add(row["target"])
    classes: dict[str, set[str]] = {}
    for row in files.table(CLASSES, columns=("patientid", "class")):
        classes.setdefault(row["patientid"], set()).add(row["class"].lower())
    nih = _nih_patients(files)
    reading = Reading()
    for image in sorted(boxes.keys() | classes.keys()):
        _read_image(files, image, boxes.get(image, set()), classes.get(image, set()), nih, reading)
    return reading


def _read_image(files: SetFiles, image: str, targets: set[str], classes: set[str], nih: dict[str, str], reading: Reading) -> None:
    finding = " and ".join(sorted(classes))
    label = _LABELS.get(finding)
    agreed = len(classes) <= 1 and len(targets) <= 1 and (label is None or targets <= {"1" if label == "pneumonia" else "0"})
    if label is not None and image not in nih:
        reading.note(NO_MAPPING)
    reading.consider(
        files,
        image,
        files.find(f"{image}.dcm"),
        label,
        patient=image,
        refused=None if agreed else (Why.CONFLICTING_LABELS, f"{finding}, target {' and '.join(sorted(targets))}"),
        patient_id=nih.get(image, f"rsna-{image}"),
        source="rsna",
        finding=finding.capitalize(),
        license=LICENSE,
    )


def _nih_patients(files: SetFiles) -> dict[str, str]:
    """Return the NIH patient of each image that the RSNA's mapping names; empty where the mapping is not there."""
    url = next(filter(None, map(files.find, MAPPINGS)), None)
    if url is None:
        return {}
    try:
        return {str(entry["subset_img_id"]): f"nih-{str(entry['img_id'])[:8]}" for entry in json.loads(files.text(url))}
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{url} is not the RSNA's list of img_id and subset_img_id") from error
