"""Where the real radiographs lie that some tests use. They are not part of the repository."""

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
