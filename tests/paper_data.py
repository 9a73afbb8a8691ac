"""Where the paper's evaluation lies, row by row: it is no part of the repository."""

import os
from pathlib import Path

import pytest


def nhia_path() -> str:
    """Return the path of nhia.csv in PAPER_DATA, or in ../shared/data/paper; skip the test where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared/data/paper"
    path = Path(os.environ.get("PAPER_DATA", default)) / "nhia.csv"
    if not path.exists():
        pytest.skip(f"no {path.name}: set PAPER_DATA to the folder that holds it")
    return str(path)
