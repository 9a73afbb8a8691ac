"""Where the real radiographs, the hostile files and KubeRay's schemas lie that some tests use. They are not part of the repository."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


def cxr_folder() -> Path:
    """Return the folder with `labels.csv`, or skip the test and say why."""
    return _folder("cxr", "CXR_DATA", "labels.csv", "real radiographs are")


def more_cxr_folder() -> Path:
    """Return the folder of the second set, which has `tuberculosis.csv`, or skip the test and say why."""
    return _folder("cxr2", "CXR2_DATA", "tuberculosis.csv", "the second set of real radiographs is")


def hostile_folder() -> Path:
    """Return the folder of containers that once broke the listing, or skip the test and say why."""
    return _folder("hostile", "HOSTILE_DATA", "*.tar", "the containers that once broke the listing are")


def kuberay_folder() -> Path:
    """Return the folder of KubeRay's custom resource definitions, or skip the test and say why."""
    return _folder("kuberay", "KUBERAY_DATA", "ray.io_rayjobs.yaml.gz", "KubeRay's schemas are")


def _folder(name: str, variable: str, holds: str, what: str) -> Path:
    """Return the folder that a variable names, or the one beside the repository, where it holds a file of that pattern."""
    folder = Path(os.environ.get(variable, _ROOT.parent / "shared" / "data" / name))
    if not any(folder.glob(holds)):
        pytest.skip(f"{what} not here: no {holds} in {folder}; set {variable} to their folder")
    return folder
