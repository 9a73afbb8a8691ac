"""identifiers: UIDs that hold a patient's numbers or birth date, and those that do not, worked by hand."""

from datetime import date

import pytest
from pydicom.dataset import Dataset

from screening.dicom.header import Header, read_dicom
from screening.dicom.limits import Limits
from screening.errors import ImageRefused
from screening.ingest.identifiers import Identifiers, birth_date, is_registered
from tests.screening import hostile

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")  # pydicom, writing what real archives hold

ROOT = "1.2.826.0.1.3680043"
BORN = {"PatientBirthDate": "19610305", "PatientID": "", "AccessionNumber": ""}
STUDY = {"PatientBirthDate": "", "PatientID": "", "AccessionNumber": ""}


def _header(**elements: object) -> Header:
    return read_dicom(hostile.changed(**elements), Limits()).header


def _holds(uid: str, **elements: object) -> bool:
    return Identifiers.of(_header(**elements)).stand_in(uid)


@pytest.mark.parametrize("patient", ["7712-0934", "7712 0934", "0077120934", "QX-77120934", "ID77120934"])
@pytest.mark.parametrize(("uid", "held"), [(f"{ROOT}.77120934.1", True), (f"{ROOT}.9977120934001", True), (f"{ROOT}.7712.934.0", False)])
def test_a_patient_number_in_a_uid(patient: str, uid: str, held: bool) -> None:
    assert _holds(uid, **STUDY | {"PatientID": patient}) is held


def test_a_number_across_the_dots_and_one_run_of_digits_of_a_longer_identifier() -> None:
    assert _holds(f"{ROOT}.93407.712", **STUDY | {"PatientID": "9340-7712"})
    assert _holds(f"{ROOT}.771209", **STUDY | {"PatientID": "A12-B771209"})


@pytest.mark.parametrize(("patient", "uid", "held"), [
    ("4711", f"{ROOT}.4711.1", True), ("4711", f"{ROOT}.47110.1", False), ("004711", f"{ROOT}.4711.1", True),
    ("004711", f"{ROOT}.20200401004711", True), ("123", f"{ROOT}.123.9", True), ("12", f"{ROOT}.12.9", False), ("1", f"{ROOT}.1", False),
    ("Smith", f"{ROOT}.1", False), ("", f"{ROOT}.1", False), ("12345", f"{ROOT}.912345", False), ("123456", f"{ROOT}.9123456", True),
    ("٤٧١١٢٣", f"{ROOT}.471123.1", True),
])  # fmt: skip
def test_thresholds_of_numbers(patient: str, uid: str, held: bool) -> None:
    assert _holds(uid, **STUDY | {"PatientID": patient}) is held


def test_numbers_of_other_attributes_and_of_sequences() -> None:
    other, request = Dataset(), Dataset()
    other.PatientID, request.AccessionNumber = "55501", "8812345"
    sequences = {"OtherPatientIDsSequence": [other], "RequestAttributesSequence": [request]}
    for uid in (f"{ROOT}.55501.2", f"{ROOT}.8812345", f"{ROOT}.5550199", f"{ROOT}.36912"):
        elements = STUDY | sequences | {"AccessionNumber": "ACC5550199", "AdmissionID": "36912"}
        assert _holds(uid, **elements)
        assert not _holds(uid, **STUDY)


SPELLINGS = ["19610305", "05031961", "03051961", "610305", "050361", "030561", "1961.3.5", "5.3.1961", "5031961", "50361", "19610305101500"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_birth_date_in_each_spelling(spelling: str) -> None:
    assert _holds(f"{ROOT}.{spelling}.1", **BORN)
    assert not _holds(f"{ROOT}.{spelling}.1", **STUDY)


@pytest.mark.parametrize("spelling", ["19610305", "05031961", "610305"])
def test_a_birth_date_within_a_component(spelling: str) -> None:
    assert _holds(f"{ROOT}.99{spelling}7", **BORN)


@pytest.mark.parametrize(("born", "text", "held"), [
    ("19610305", "20200401", False),  # the date of the study alone
    ("19200401", "20200401", False),  # born the same day a hundred years before: 200401 stands within the date of the study
    ("20040220", "20200204", False),  # born on 20-02-04, studied on 2020-02-04
    ("19200401", "200401", True),
    ("20200401", "20200401", True),  # a newborn: the date of the study is the birth date
    ("19200401", "19200401.20200401", True),
])  # fmt: skip
def test_the_date_of_the_study_is_no_birth_date(born: str, text: str, held: bool) -> None:
    study = "20200204" if text == "20200204" else "20200401"
    assert _holds(f"{ROOT}.{text}.101112", **BORN | {"PatientBirthDate": born, "StudyDate": study, "AcquisitionDate": study}) is held


def test_an_accession_number_that_is_only_the_date_of_the_study_counts_for_nothing() -> None:
    assert not _holds(f"{ROOT}.20200401.1", **STUDY | {"AccessionNumber": "20200401"})
    assert _holds(f"{ROOT}.2020040117", **STUDY | {"AccessionNumber": "20200401-17"})


@pytest.mark.parametrize(("text", "day"), [
    ("19610305", date(1961, 3, 5)), ("1961-03-05", date(1961, 3, 5)), ("05.03.1961", date(1961, 3, 5)), ("5/3/1961", date(1961, 3, 5)),
    ("03251961", date(1961, 3, 25)), ("", None), ("61", None), ("99999999", None),
])  # fmt: skip
def test_birth_dates_as_writers_write_them(text: str, day: date | None) -> None:
    assert birth_date(_header(PatientBirthDate=text)) == day


def test_a_birth_date_that_nobody_can_read_is_looked_for_as_it_stands() -> None:
    assert _holds(f"{ROOT}.31021961", **STUDY | {"PatientBirthDate": "31.02.1961"})


def test_of_a_broken_sequence_nothing_can_be_said() -> None:
    item = Dataset()
    item.PatientID = "55501"
    data = hostile.changed(OtherPatientIDsSequence=[item])
    at = data.index(b"\xfe\xff\x00\xe0", data.index(b"\x10\x00\x02\x10SQ"))
    broken = data[:at] + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\xff" * 8 + data[at + 16 :]
    with pytest.raises(ImageRefused):
        Identifiers.of(read_dicom(broken, Limits()).header)


def test_registered_uids() -> None:
    assert is_registered("1.2.840.10008.1.2.4.70")
    assert not is_registered("1.2.840.10008.19610305")
