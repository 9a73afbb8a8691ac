"""Where the real radiographs and the hostile files lie that some tests use. They are not part of the repository."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


def cxr_folder() -> Path:
    """Return the folder with `labels.csv`, or skip the test and say why."""
    folder = Path(os.environ.get("CXR_DATA", _ROOT.parent / "shared" / "data" / "cxr"))
    if not (folder / "labels.csv").is_file():
        pytest.skip(f"real radiographs are not here: no labels.csv in {folder}; set CXR_DATA to their folder")
    return folder


def hostile_folder() -> Path:
    """Return the folder of containers that once broke the listing, or skip the test and say why."""
    folder = Path(os.environ.get("HOSTILE_DATA", _ROOT.parent / "shared" / "data" / "hostile"))
    if not any(folder.glob("*.tar")):
        pytest.skip(f"the containers that once broke the listing are not here: no *.tar in {folder}; set HOSTILE_DATA to their folder")
    return folder
