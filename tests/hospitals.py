"""The manifest of both sets of real radiographs together, which the released bundle was trained on."""

import csv
from pathlib import Path

from tests.real_data import cxr_folder, more_cxr_folder


def write_hospitals(folder: Path) -> Path:
    """Write `labels.csv` of both sets into `folder`, beside links to them, and return its path.

    Films with tuberculosis are labelled so, and lung masks that came with the second set are given to images of the first. The file is the
    same wherever the sets lie.
    """
    for name, target in (("cxr", cxr_folder()), ("cxr2", more_cxr_folder())):
        (folder / name).symlink_to(target.resolve())
    extra = {row["image_id"]: f"cxr2/{row['lung_mask']}" for row in _rows(folder / "cxr2/extra_masks_for_cxr.csv")}
    listed = [_placed(row, "cxr", extra.get(row["image_id"], "")) for row in _rows(folder / "cxr/labels.csv")]
    listed += [_placed(row, "cxr2") for row in _rows(folder / "cxr2/labels.csv")]
    listed += [_placed(row, "cxr2") | {"label": "tuberculosis"} for row in _rows(folder / "cxr2/tuberculosis.csv")]
    path = folder / "labels.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _placed(row: dict[str, str], name: str, mask: str = "") -> dict[str, str]:
    own = row["lung_mask"] and f"{name}/{row['lung_mask']}"
    return row | {"image": f"{name}/{row['image']}", "lung_mask": own or mask}
