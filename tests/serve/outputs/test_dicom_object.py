"""What every DICOM object of ours shares: the source's identity, whatever it holds, and nothing of it in logs or warnings."""

import io
import logging
import random
import warnings

import pydicom
import pytest

from screening.dicom.writer import to_bytes
from screening.errors import OutputRefused
from serve.outputs.form import Form
from serve.outputs.render import render
from serve.outputs.source import OPTIONAL, TYPE_2
from tests.serve.outputs.answers import BUNDLE, WHEN, dicom_file, faults, scored

DICOM_FORMS = [Form.SR, Form.SEG, Form.SC]


def changed(data: bytes, **values: object) -> bytes:
    """Return a file with other values in its header, also such as the standard forbids; None takes an attribute away."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    with pydicom.config.disable_value_validation():
        for keyword, value in values.items():
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        return to_bytes(dataset)


def made(form: Form, data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(render(form, data, scored(), BUNDLE, WHEN)[1]))


@pytest.mark.parametrize("form", DICOM_FORMS)
def test_patient_and_study_are_those_of_the_source(form: Form) -> None:
    others = {"IssuerOfPatientID": "St. Jude", "PatientWeight": "70.5", "ReferringPhysicianName": "Ng^A"}
    data = changed(dicom_file(PatientName="山田^太郎=やまだ"), **others)
    source, ours = pydicom.dcmread(io.BytesIO(data)), made(form, data)
    assert ours.StudyInstanceUID == source.StudyInstanceUID
    for keyword in (*TYPE_2, *OPTIONAL):
        assert ours.get(keyword) == source.get(keyword), keyword
    assert ours.SOPInstanceUID != source.SOPInstanceUID
    assert ours.SeriesInstanceUID != source.SeriesInstanceUID
    assert (ours.InstanceCreationDate, ours.SeriesTime) == ("20200301", "020304")
    assert ours.DeviceSerialNumber == BUNDLE.digest()


@pytest.mark.parametrize("form", DICOM_FORMS)
def test_values_that_the_standard_forbids_are_carried_and_never_told(form: Form, caplog: pytest.LogCaptureFixture) -> None:
    forbidden = {"PatientName": "Secret Name", "PatientSex": "female", "PatientBirthDate": "Secret", "AccessionNumber": "S" * 40}
    data = changed(dicom_file(), **forbidden)
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        _, file = render(form, data, scored(), BUNDLE, WHEN)
    said = caplog.text + "".join(str(warning.message) for warning in told)
    assert "Secret" not in said
    assert "female" not in said
    with pydicom.config.disable_value_validation():
        ours = pydicom.dcmread(io.BytesIO(file))
        ours.decode()
    assert (str(ours.PatientName), ours.PatientSex, ours.AccessionNumber) == ("Secret Name", "female", "S" * 40)


@pytest.mark.parametrize("form", DICOM_FORMS)
def test_a_header_with_little_in_it_makes_a_valid_object(form: Form, tmp_path) -> None:
    bare = dict.fromkeys(("PatientOrientation", "StudyID", "AccessionNumber", "ViewPosition", "PatientName", "SpecificCharacterSet"))
    _, file = render(form, changed(dicom_file(PatientName=""), **bare), scored(), BUNDLE, WHEN)
    assert faults(file, tmp_path) == []


def test_once_lossy_always_said() -> None:
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": "11.5", "LossyImageCompressionMethod": "ISO_10918_1"}
    for form in (Form.SEG, Form.SC):
        ours = made(form, changed(dicom_file(), **lossy))
        assert {keyword: str(ours[keyword].value) for keyword in lossy} == lossy


def test_a_private_class_cannot_be_referred_to() -> None:
    with pytest.raises(OutputRefused, match="SOPClassUID"):
        render(Form.SR, changed(dicom_file(), SOPClassUID="1.2.3"), scored(), BUNDLE, WHEN)


@pytest.mark.parametrize("form", DICOM_FORMS)
def test_a_weight_that_is_no_number_is_left_out(form: Form) -> None:
    weighed = changed(dicom_file(), PatientWeight="70.5")
    assert made(form, weighed).PatientWeight == 70.5
    assert "PatientWeight" not in made(form, weighed.replace(b"70.5", b"much"))


@pytest.mark.parametrize("form", list(Form))
def test_a_spoilt_header_gives_an_object_or_a_refusal(form: Form) -> None:
    spoilt, draw = dicom_file(), random.Random(form)
    outcomes = {"written": 0, "refused": 0}
    for _ in range(30):
        file = bytearray(spoilt)
        for _ in range(3):
            file[draw.randrange(132, 1200)] = draw.randrange(256)
        try:
            render(form, bytes(file), scored(spoilt), BUNDLE, WHEN)
            outcomes["written"] += 1
        except OutputRefused:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0, "the seed shows both"
