"""A small labelled set of synthetic radiographs in PNG files, as a manifest sees it."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from screening.ingest.config import IngestConfig
from screening.phantom.radiograph import FINDINGS, make_phantom
from train.data.images import decode_rows
from train.data.manifest import read_manifest

SIZE = (192, 160)  # rows, columns: not square, so that the padding takes part


def write_radiographs(folder: Path, splits: list[str], *, without_mask: int | None = None) -> Path:
    """Write one image of each finding for every entry of `splits`, with lung masks and `labels.csv`, and return the path of that."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (split, finding) in enumerate((split, finding) for split in splits for finding in FINDINGS):
        phantom = make_phantom(i, finding, size=SIZE, severity=0.9)
        Image.fromarray(np.rint(phantom.image * 255).astype(np.uint8)).save(folder / f"{i}.png")
        Image.fromarray(phantom.lung_mask).save(folder / f"{i}-lungs.png")
        mask = "" if i == without_mask else f"{i}-lungs.png"
        rows.append({"image_id": i, "image": f"{i}.png", "lung_mask": mask, "label": finding, "patient_id": f"p{i}", "split": split})
    return write_manifest(folder / "labels.csv", rows)


def write_manifest(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write rows as CSV and return its path."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(manifest_path: Path) -> dict[str, np.ndarray]:
    """Return the manifest's rows as Ray Data hands them to a task."""
    table = read_manifest(str(manifest_path)).table
    return {name: np.array(table[name].to_list(), dtype=object) for name in table.columns}


def decoded(manifest_path: Path) -> dict[str, np.ndarray]:
    """Return the manifest's images as a training task decodes them: column → one value a row."""
    return {name: np.array(values, dtype=object) for name, values in decode_rows(rows_of(manifest_path), IngestConfig()).items()}
