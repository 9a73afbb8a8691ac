"""An export from a results folder: every chosen row is a file or has a reason."""

import io
import shutil
from pathlib import Path

import pydicom
import pytest

from screening.errors import BundleError, UsageError
from serve.outputs.export import Export, ExportSummary, export
from serve.outputs.form import Form
from tests.serve.outputs.answers import BUNDLE, PNG, dicom_file, faults, results_folder

KEY = b"a pseudonym key for tests"
FILES = {
    "first.dcm": dicom_file(),
    "second.dcm": dicom_file((200, 300), PatientID="P-2"),
    "refused.dcm": dicom_file(ViewPosition="LL", PatientID="P-3"),
    "bare.dcm": dicom_file((220, 200), PatientID="P-4"),
    "picture.png": PNG,
}


@pytest.fixture
def results(tmp_path: Path) -> str:
    return results_folder(tmp_path, FILES)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def done(results: str, form: Form, **options: object) -> tuple[ExportSummary, dict[str, bytes]]:
    """Return the summary of an export and the files that it wrote."""
    output = Path(results).parent / "out"
    summary = export(Export(results, form, str(output), **options))
    assert summary.rows == summary.written + len(summary.refused)
    return summary, files_of(output)


@pytest.mark.parametrize(("form", "written"), [(Form.SR, 4), (Form.SEG, 2), (Form.SC, 2), (Form.FHIR, 5)])
def test_every_chosen_row_is_a_file_or_has_a_reason(results: str, form: Form, written: int, tmp_path: Path) -> None:
    summary, files = done(results, form, where="true")
    assert (summary.rows, summary.written) == (5, written)
    assert len(files) == written
    assert all(name.endswith(f".{BUNDLE.digest()[:12]}{form.suffix}") for name in files)
    for name, data in files.items():
        if form is not Form.FHIR:
            assert faults(data, tmp_path) == [], name
    assert all("ask for" in reason.lower() or "--heatmaps all" in reason for reason in summary.refused.values())
    assert done(results, form, where="true") == (summary, files), "an export that is repeated writes the same bytes"


def test_the_condition_chooses_rows_and_the_file_says_whose_they_are(results: str) -> None:
    summary, files = done(results, Form.SR, where='"Columns" = 300')
    assert summary.rows == 1
    [dataset] = [pydicom.dcmread(io.BytesIO(data)) for data in files.values()]
    assert dataset.PatientID == "P-2"
    assert dataset.ContentDate == "20200301"


def test_a_file_that_is_gone_or_another_one_does_not_end_the_export(results: str, tmp_path: Path) -> None:
    (tmp_path / "archive" / "first.dcm").unlink()
    (tmp_path / "archive" / "second.dcm").write_bytes(dicom_file(PatientID="somebody else"))
    summary, _ = done(results, Form.SR, where="outcome = 'scored'")
    reasons = sorted(summary.refused.values())
    assert summary.written == 1
    assert "no DICOM header" in reasons[2]
    assert "has changed since it was indexed" in reasons[0]
    assert "no such object" in reasons[1]


def test_an_unforeseen_error_is_counted_and_quotes_nothing(results: str, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def broken(*_: object) -> None:
        raise KeyError("Doe^Jane")

    monkeypatch.setattr("serve.outputs.export.render", broken)
    summary, _ = done(results, Form.SR)
    assert summary.written == 0
    assert all("KeyError at" in reason for reason in summary.refused.values())
    assert "Doe" not in caplog.text + str(summary)


def test_encrypted_names_need_the_key(tmp_path: Path) -> None:
    results = results_folder(tmp_path, {"Doe.dcm": dicom_file()}, key=KEY)
    with pytest.raises(UsageError, match="--pseudonym-key"):
        done(results, Form.SR)
    with pytest.raises(UsageError, match="another pseudonym key"):
        done(results, Form.SR, pseudonym_key=b"another key for tests")
    assert done(results, Form.SC, pseudonym_key=KEY)[0].written == 1


def test_a_results_folder_that_was_moved_keeps_its_heatmaps(results: str, tmp_path: Path) -> None:
    moved = shutil.move(results, tmp_path / "moved")
    assert done(str(moved), Form.SEG, where="lung_mask_url is not null")[0].written == 2


def test_the_bundle_is_the_one_that_answered(results: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run of bundle ffff: there are"):
        done(results, Form.SR, bundle="ffff")
    moved = shutil.move(tmp_path / "bundle", tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"bundle\.json"):
        done(results, Form.SR)
    assert done(results, Form.SR, bundle=BUNDLE.digest()[:5], bundle_url=str(moved))[0].written == 4
    text = (moved / "bundle.json").read_text()
    (moved / "bundle.json").write_text(text.replace("0.25", "0.75"))
    with pytest.raises(BundleError, match="--bundle-url"):
        done(results, Form.SR, bundle_url=str(moved))


def test_nothing_is_written_into_the_archive(results: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="inside the archive"):
        export(Export(results, Form.SR, str(tmp_path / "archive" / "reports")))
