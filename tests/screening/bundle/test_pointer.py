"""The file that names the bundle in use."""

from pathlib import Path

import pytest

from screening.bundle.pointer import bundle_in_use, is_pointer, point_to
from screening.errors import BundleError


def test_a_folder_stands_for_itself() -> None:
    assert not is_pointer("s3://bucket/bundles/cxr")
    assert bundle_in_use("s3://bucket/bundles/cxr") == "s3://bucket/bundles/cxr"


@pytest.mark.parametrize(
    ("named", "expected"),
    [("/bundles/a", "/bundles/a"), ("s3://bucket/a", "s3://bucket/a"), ("bundles/a", "{folder}/bundles/a")],
)
def test_a_file_names_a_folder(tmp_path: Path, named: str, expected: str) -> None:
    file = str(tmp_path / "current.json")
    assert is_pointer(file)
    point_to(file, named)
    assert bundle_in_use(file) == expected.format(folder=tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"bundle_url": 1}', '{"bundle_url": "a", "and": "b"}'])
def test_a_file_that_names_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_text(text)
    with pytest.raises(BundleError, match=r"current\.json names no bundle"):
        bundle_in_use(str(tmp_path / "current.json"))
    with pytest.raises(BundleError, match=r"none\.json does not exist"):
        bundle_in_use(str(tmp_path / "none.json"))
