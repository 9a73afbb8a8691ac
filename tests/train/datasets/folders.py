"""Tiny folders with the file names and columns of the real sets, made of synthetic radiographs no two of which look alike."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from screening.dicom.uids import uid_of
from screening.dicom.writer import Coding, StudyAttributes, build_dataset, to_bytes
from screening.phantom.radiograph import FINDINGS, make_phantom
from train.datasets.duplicates import NEAR_BITS
from train.datasets.fingerprints import perceptual_hash

SIZE = (168, 144)  # rows, columns
COHEN_COVID = "Pneumonia/Viral/COVID-19"  # as the Cohen collection writes it
_APART = NEAR_BITS + 16  # bits between the hashes of any two: decoding changes a few


@lru_cache(maxsize=1)
def _phantoms() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pixels (h, w) uint8 and lung masks (h, w) bool, each far from all before it."""
    hashes: list[np.ndarray] = []
    for seed in range(10_000):
        phantom = make_phantom(seed, FINDINGS[seed % 3], size=SIZE)
        pixels = np.rint(phantom.image * 255).astype(np.uint8)
        words = np.array(perceptual_hash(pixels), np.uint64)
        if all(np.bitwise_count(words ^ other).sum() > _APART for other in hashes):
            hashes.append(words)
            yield pixels, phantom.lung_mask


_made: list[tuple[np.ndarray, np.ndarray]] = []


def radiograph(number: int) -> np.ndarray:
    """Return the pixels of one synthetic radiograph, (168, 144) uint8. Different numbers look different."""
    while len(_made) <= number:
        _made.append(next(_phantoms()))
    return _made[number][0]


def lung_mask(number: int) -> np.ndarray:
    """Return the true lungs of `radiograph(number)`, (168, 144) bool."""
    radiograph(number)
    return _made[number][1]


def write_image(path: Path, pixels: np.ndarray, **options: object) -> Path:
    """Write pixels as the path's ending says, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """Write a CSV file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    path.write_text(text.getvalue())
    return path


def write_images(folder: Path, images: dict[str, int]) -> None:
    """Write `radiograph(number)` under each path below the folder."""
    for path, number in images.items():
        write_image(folder / path, radiograph(number))


def dicom(number: int, patient: str, *, view: str = "PA", sex: str = "F", age: str = "51") -> bytes:
    """Return a radiograph as the DICOM files of RSNA are: PatientAge without its unit."""
    study = StudyAttributes(
        uid_of("study", patient),
        uid_of("series", patient),
        uid_of("image", patient, number),
        PatientID=patient,
        PatientSex=sex,
        ViewPosition=view,
        StudyDate="19010101",
    )
    dataset = build_dataset(radiograph(number), study, Coding(8), "jpeg_baseline")
    dataset.add_new("PatientAge", "LO", age)  # as text, for pydicom refuses it as an age
    dataset["PatientAge"].VR = "AS"
    return to_bytes(dataset)


COHEN = (
    *(
        "patientid",
        "offset",
        "sex",
        "age",
        "finding",
        "RT_PCR_positive",
        "survival",
        "intubated",
        "intubation_present",
        "went_icu",
        "in_icu",
    ),
    *("needed_supplemental_O2", "extubated", "temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count", "lymphocyte_count"),
    *("view", "modality", "date", "location", "folder", "filename", "doi", "url", "license", "clinical_notes", "other_notes", ""),
)
HANNOVER = ("patient_id", "image_id", "sex", "age", "size", "weight", "admission_offset", "icu_admission_offset", "modality", "projection")
NIH = (
    *("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position"),
    *("OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]", ""),
)
FIGURE1 = (
    *("patientid", "offset", "sex", "age", "finding", "survival", "temperature", "pO2 saturation", "view", "modality"),
    *("artifacts/distortion", "notes"),
)
ACTUALMED = (*FIGURE1[:10], "imagename", *FIGURE1[10:])
PADCHEST = (
    *("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM", "ViewPosition_DICOM"),
    *(
        "Projection",
        "MethodProjection",
        "Pediatric",
        "Modality_DICOM",
        "PhotometricInterpretation_DICOM",
        "Report",
        "MethodLabel",
        "Labels",
    ),
)


def cells(columns: Sequence[str], **values: object) -> list[object]:
    """Return a row with some of its columns filled."""
    assert set(values) <= set(columns)
    return [values.get(column, "") for column in columns]


def write_cohen(folder: Path, rows: list[tuple[str, str, str, str, int | None]]) -> Path:
    """Write covid-chestxray-dataset: rows are patient, finding, view, file name and number of the radiograph, None for a missing file."""
    table = [
        cells(
            COHEN,
            **{"patientid": patient, "finding": finding, "view": view, "filename": name},
            **{"folder": "images", "modality": "X-ray", "offset": 4, "sex": "M", "age": 60, "license": "CC BY 4.0"},
        )
        for patient, finding, view, name, _ in rows
    ]
    write_table(folder / "metadata.csv", COHEN, table)
    write_images(folder, {f"images/{name}": number for *_, name, number in rows if number is not None})
    return folder


def write_nih(folder: Path, rows: list[tuple[str, str, int, str, int]], test_images: Sequence[str] | None = None) -> Path:
    """Write NIH ChestX-ray14: rows are image name, labels, patient, age and number of the radiograph."""
    table = [
        cells(
            NIH,
            **{"Image Index": name, "Finding Labels": labels, "Patient ID": patient, "Patient Age": age},
            **{"Patient Gender": "F", "View Position": "PA"},
        )
        for name, labels, patient, age, _ in rows
    ]
    write_table(folder / "Data_Entry_2017.csv", NIH, table)
    write_images(folder, {f"images_{1 + at % 2:03d}/images/{row[0]}": row[-1] for at, row in enumerate(rows)})
    if test_images is not None:
        (folder / "test_list.txt").write_text("\n".join(test_images) + "\n")
        (folder / "train_val_list.txt").write_text("\n".join(row[0] for row in rows if row[0] not in test_images) + "\n")
    return folder


def write_rsna(folder: Path, rows: list[tuple[str, str, int, int]], mapping: dict[str, str] | None = None) -> Path:
    """Write the RSNA challenge: rows are patientId, class, Target and number of the radiograph; `mapping` names NIH images."""
    boxes = [(name, *((10, 20, 30, 40) if target else ("",) * 4), target) for name, _, target, _ in rows]
    boxes += [box for box in boxes if box[-1]]  # a second box of the same image
    write_table(folder / "stage_2_train_labels.csv", ("patientId", "x", "y", "width", "height", "Target"), boxes)
    write_table(
        folder / "stage_2_detailed_class_info.csv", ("patientId", "class"), [(box[0], dict(_classes(rows))[box[0]]) for box in boxes]
    )
    images = folder / "stage_2_train_images"
    images.mkdir(parents=True)
    for name, _, _, number in rows:
        (images / f"{name}.dcm").write_bytes(dicom(number, name))
    if mapping is not None:
        entries = [{"subset_img_id": name, "img_id": image, "orig_labels": []} for name, image in mapping.items()]
        (folder / "pneumonia-challenge-dataset-mappings_2018.json").write_text(json.dumps(entries))
    return folder


def _classes(rows: list[tuple[str, str, int, int]]) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, _, _ in rows]


COVIDX_UUID = "47c78742-4998-4878-aec4-37b11b1354ac"
COVIDX_TRAIN = """\
3 SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg pneumonia cohen
COVID-00003b COVID-00003b.jpg COVID-19 fig1
ANON24 CR.1.2.840.png COVID-19 actmed
COVID 119 COVID(119).png COVID-19 sirm
419639-003251 MIDRC-RICORD-1C-419639-003251-46647-0.png COVID-19 ricord
torn line
7 gone.jpeg pneumonia cohen
"""
COVIDX_TEST = f"{COVIDX_UUID} {COVIDX_UUID}.png normal rsna\n"


def write_covidx(folder: Path, version: str = "8A", train: str = COVIDX_TRAIN, test: str = COVIDX_TEST) -> Path:
    """Write the split files, and an image for every line that names one, but for gone.jpeg."""
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    number = 0
    for part, text in (("train", train), ("test", test)):
        (folder / f"labels/{part}_COVIDx{version}.txt").write_text(text)
        for line in text.splitlines():
            names = [word for word in line.split() if "." in word and word != "gone.jpeg"]
            write_images(folder / "data" / part, {name: (number := number + 1) for name in names})
    return folder


def write_montgomery(folder: Path) -> Path:
    """Write the set as the National Library of Medicine gives it: a mask for each lung."""
    readings = {
        "MCUCXR_0001_0": "Patient's Sex: F\nPatient's Age: 027Y\nnormal",
        "MCUCXR_0104_1": "Patient's Sex: M\nPatient's Age: 061Y\nTB",
    }
    middle = radiograph(0).shape[1] // 2
    for at, (name, text) in enumerate(readings.items()):
        write_image(folder / f"MontgomerySet/CXR_png/{name}.png", radiograph(at))
        left, right = lung_mask(at).copy(), lung_mask(at).copy()
        left[:, :middle], right[:, middle:] = False, False
        write_image(folder / f"MontgomerySet/ManualMask/leftMask/{name}.png", left)
        write_image(folder / f"MontgomerySet/ManualMask/rightMask/{name}.png", right)
        reading = folder / f"MontgomerySet/ClinicalReadings/{name}.txt"
        reading.parent.mkdir(exist_ok=True)
        reading.write_text(text)
    return folder
