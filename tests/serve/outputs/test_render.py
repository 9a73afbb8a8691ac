"""One way to every form, and forms that are always the same."""

import io
import json
from datetime import timedelta

import pydicom
import pytest

from screening.errors import OutputRefused
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from serve.outputs.form import Form
from serve.outputs.render import render
from tests.serve.outputs.answers import BUNDLE, PNG, WHEN, bundle_manifest, dicom_file, refused, scored


def uids(file: bytes) -> set[str]:
    """Return every UID of ours that a DICOM file holds."""
    found: set[str] = set()
    pydicom.dcmread(io.BytesIO(file)).walk(lambda _, element: found.add(str(element.value)) if element.VR == "UI" else None)
    return {uid for uid in found if uid.startswith("2.25.")}


@pytest.mark.parametrize("form", list(Form))
def test_the_same_again_gives_the_same_bytes(form: Form) -> None:
    data = dicom_file()
    media_type, file = render(form, data, scored(), BUNDLE, WHEN)
    assert render(str(form), data, scored(), BUNDLE, WHEN) == (media_type, file)
    assert media_type == ("application/fhir+json" if form is Form.FHIR else "application/dicom")
    assert render(form, data, scored(), BUNDLE)[1] != file, "without a time it bears the present one"


@pytest.mark.parametrize("form", [Form.SR, Form.SEG, Form.SC])
def test_uids_stay_at_another_time_and_change_with_the_bundle(form: Form) -> None:
    data, other = dicom_file(), bundle_manifest(threshold=0.5)
    first = uids(render(form, data, scored(), BUNDLE, WHEN)[1])
    assert uids(render(form, data, scored(), BUNDLE, WHEN + timedelta(1))[1]) == first
    of_source = {str(pydicom.dcmread(io.BytesIO(data))[word].value) for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
    assert uids(render(form, data, scored(bundle=other), other, WHEN)[1]) & first <= of_source


def test_no_two_forms_share_a_uid() -> None:
    instances = [pydicom.dcmread(io.BytesIO(render(form, dicom_file(), scored(), BUNDLE)[1])) for form in (Form.SR, Form.SEG, Form.SC)]
    assert len({item.SOPInstanceUID for item in instances} | {item.SeriesInstanceUID for item in instances}) == 6


@pytest.mark.parametrize("form", [Form.SR, Form.SEG, Form.SC])
def test_an_image_file_makes_no_dicom_object(form: Form) -> None:
    with pytest.raises(OutputRefused, match=r"^chest\.png has no DICOM header.*fhir"):
        render(form, PNG, named_png(), BUNDLE)
    assert json.loads(render(Form.FHIR, PNG, named_png(), BUNDLE)[1])["resourceType"] == "Bundle"


def named_png():
    answered = scored()
    return type(answered)(answered.answer.model_copy(update={"file": "chest.png"}), answered.pixels, answered.heatmaps)


def test_a_refused_image_has_a_report_and_no_pictures() -> None:
    assert ingest(dicom_file(ViewPosition="LL"), IngestConfig(), None).refusal is not None
    assert uids(render(Form.SR, dicom_file(ViewPosition="LL"), refused(), BUNDLE)[1])
    for form in (Form.SEG, Form.SC):
        with pytest.raises(OutputRefused, match=r"not a negative answer: ViewPosition is LL.*Ask for the form sr"):
            render(form, dicom_file(ViewPosition="LL"), refused(), BUNDLE)


def test_an_unknown_form() -> None:
    with pytest.raises(ValueError, match="pdf"):
        render("pdf", dicom_file(), scored(), BUNDLE)
