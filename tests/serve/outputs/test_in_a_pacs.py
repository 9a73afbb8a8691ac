"""A real PACS takes the DICOM forms over C-STORE, files them under the radiograph's own study, and gives them back as they were."""

import base64
import io
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pydicom
import pytest

from screening.errors import ArchiveError, UsageError
from serve.outputs.export import Export, export
from serve.outputs.form import Form
from serve.outputs.render import render
from tests.serve.outputs.answers import BUNDLE, PNG, WHEN, dicom_file, results_folder, scored

DICOM_FORMS = [Form.SR, Form.SEG, Form.SC]


def store(orthanc, *files: Path) -> None:
    """Send files as a modality would. Raises CalledProcessError where one is not taken."""
    program = shutil.which("storescu")
    if program is None:
        pytest.skip("no storescu here: apt-get install dcmtk")
    subprocess.run([program, "-R", "-aec", "ORTHANC", "127.0.0.1", str(orthanc.dicom_port), *map(str, files)], check=True, timeout=60)


def stored(orthanc, instance: str) -> pydicom.Dataset:
    """Return an instance as the PACS gives it back."""
    token = base64.b64encode(f"{orthanc.user}:{orthanc.password}".encode()).decode()
    request = urllib.request.Request(f"{orthanc.rest_url}/instances/{instance}/file", headers={"Authorization": f"Basic {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return pydicom.dcmread(io.BytesIO(answer.read()))


def test_the_forms_come_back_as_they_were_sent(orthanc, tmp_path: Path) -> None:
    data = dicom_file(PatientName="山田^太郎")
    sent = {form: render(form, data, scored(), BUNDLE, WHEN)[1] for form in DICOM_FORMS}
    paths = [tmp_path / f"{name}.dcm" for name in ("radiograph", *sent)]
    for path, file in zip(paths, (data, *sent.values()), strict=True):
        path.write_bytes(file)
    store(orthanc, *paths)
    [study] = orthanc.rest("GET", "/studies")
    assert len(orthanc.rest("GET", f"/studies/{study}")["Series"]) == 4
    back = {item.SOPInstanceUID: item for item in (stored(orthanc, instance) for instance in orthanc.rest("GET", "/instances"))}
    for file in sent.values():
        ours = pydicom.dcmread(io.BytesIO(file))
        assert back[ours.SOPInstanceUID] == ours
    store(orthanc, *paths)
    assert len(orthanc.rest("GET", "/instances")) == 4, "an export that is repeated adds nothing"


def test_an_export_goes_straight_into_the_pacs(orthanc, tmp_path: Path) -> None:
    results = results_folder(tmp_path, {"first.dcm": dicom_file(), "second.dcm": dicom_file(PatientID="P-2"), "picture.png": PNG})
    summary = export(Export(results, Form.SR, orthanc.dicomweb_url, where="true"))
    assert (summary.rows, summary.written, len(summary.refused)) == (3, 2, 1)
    back = [stored(orthanc, instance) for instance in orthanc.rest("GET", "/instances")]
    assert {item.PatientID for item in back} == {"P-1", "P-2"}
    assert {item.Modality for item in back} == {"SR"}
    with pytest.raises(UsageError, match="a PACS takes DICOM objects"):
        export(Export(results, Form.FHIR, orthanc.dicomweb_url))
    orthanc.kill()
    with pytest.raises(ArchiveError, match="cannot be reached"):
        export(Export(results, Form.SR, orthanc.dicomweb_url))
    orthanc.start()
