"""Whose radiograph it is: read from the archive's file, and refused where the file does not say so."""

import io

import pydicom
import pytest

from screening.errors import OutputRefused
from serve.outputs.source import read_source
from tests.serve.outputs.answers import PNG, attributes_of, dicom_file


def test_identity_is_what_another_library_reads() -> None:
    data = dicom_file(PatientName="山田^太郎", PatientID="7", ViewPosition="PA")
    source, theirs = read_source(data), pydicom.dcmread(io.BytesIO(data))
    for keyword, value in source.identity.items():
        assert value == str(theirs.get(keyword, "") or ""), keyword
    assert source.uids == {keyword: theirs[keyword].value for keyword in source.uids}
    assert (source.rows, source.columns) == (theirs.Rows, theirs.Columns)
    assert source.identity["StudyDescription"] == attributes_of().StudyDescription
    assert list(source.patient_orientation) == theirs.PatientOrientation


def test_what_type_2_asks_for_is_there_though_empty() -> None:
    source = read_source(dicom_file(PatientName="", AccessionNumber="", StudyDescription="", PatientAge=""))
    assert source.identity["PatientName"] == source.identity["AccessionNumber"] == source.identity["ReferringPhysicianName"] == ""
    assert "PatientAge" not in source.identity


def test_uids_follow_from_source_bundle_and_purpose() -> None:
    first, other = read_source(dicom_file()), read_source(dicom_file())
    assert first.uid("a" * 64, "sr") == other.uid("a" * 64, "sr")
    assert len({first.uid("a" * 64, "sr"), first.uid("b" * 64, "sr"), first.uid("a" * 64, "seg")}) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PNG, r"x\.png has no DICOM header.*give the DICOM file, or ask for the form fhir"),
        (dicom_file()[:420], r"x\.png has a broken header .*send the file again"),
    ],
    ids=["png", "cut"],
)
def test_a_file_that_does_not_say_whose_it_is_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(OutputRefused, match=message):
        read_source(data, "x.png")


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_file_without_a_uid_is_refused(keyword: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom_file()))
    setattr(dataset, keyword, "")
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    with pytest.raises(OutputRefused, match=f"no {keyword}"):
        read_source(buffer.getvalue())
