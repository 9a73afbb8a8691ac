"""identity: what leaves a header, and that no name, number or birth date does, whatever attribute holds it and wherever the file ends."""

import math
import struct
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from pydicom.config import disable_value_validation

from schemas.reasons import Reason
from schemas.sites import CODE_ATTRIBUTES, TEXT_ATTRIBUTES
from screening.dicom.uids import uid_of
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.ingest.sites import read_sites
from screening.privacy import Pseudonymizer
from tests.screening import hostile
from tests.screening.identities import BIRTH_DATES, NAMES, NUMBERS, UIDS, cut_everywhere, seeded


@pytest.fixture(autouse=True)
def _what_real_archives_hold() -> Iterator[None]:
    """pydicom would warn of every text that does not fit its attribute."""
    with disable_value_validation():
        yield


KEY = Pseudonymizer(b"a key of sixteen bytes or more")
OTHER_KEY = Pseudonymizer(b"another key of sixteen bytes")
LISTED = b"attribute,value,shown_as\nInstitutionName,Northgate General,\nManufacturer,Aldwych Imaging,Aldwych\nViewPosition,FRONT VIEW,PA\n"


def columns_of(data: bytes, key: Pseudonymizer | None = KEY, **config: object) -> dict[str, object]:
    return ingest(data, IngestConfig(**config), key).columns


def header_only(**elements: object) -> bytes:
    """A file of a whole header and one pixel, which is enough for the columns."""
    return hostile.changed(PixelData=b"\0\0", **elements)


# ages


@pytest.mark.parametrize(("elements", "years"), [
    ({"PatientAge": "018M"}, 1), ({"PatientAge": "012M"}, 1), ({"PatientAge": "011M"}, 0), ({"PatientAge": "104W"}, 1),
    ({"PatientAge": "730D"}, 1), ({"PatientAge": "731D"}, 2), ({"PatientAge": "045Y"}, 45), ({"PatientAge": ""}, 59),
    ({"PatientAge": "", "PatientBirthDate": "19610401"}, 59), ({"PatientAge": "", "PatientBirthDate": "19610402"}, 58),
    ({"PatientAge": "", "PatientBirthDate": "20191001"}, 0), ({"PatientAge": "", "PatientBirthDate": ""}, None),
])  # fmt: skip
def test_ages_are_completed_years(elements: dict[str, str], years: int | None) -> None:
    age = columns_of(header_only(**elements))["age_years"]
    assert age == years
    assert age is None or isinstance(age, int)


def test_the_age_limit_of_infants_is_not_rounded() -> None:
    for age, limit, refused in (("018M", 1.4, False), ("018M", 1.6, True), ("006M", 0.4, False)):
        found = ingest(hostile.good(PatientAge=age), IngestConfig(min_age_years=limit), KEY)
        assert (found.refusal is not None) is refused


def test_birth_dates_cannot_be_computed_from_dates_and_age() -> None:
    """Of 60 people without PatientAge, the date of the study less the age in days was the birth date of 60 before ages were rounded."""
    draw = np.random.default_rng(5)
    recovered, bracketed = 0, []
    for _ in range(60):
        born = date(1930, 1, 1) + timedelta(days=int(draw.integers(25_000)))
        columns = columns_of(header_only(PatientAge="", PatientBirthDate=born.strftime("%Y%m%d")))
        day, age = columns["StudyDate"], float(columns["age_years"])
        recovered += day - timedelta(days=round(age * 365.2425)) == born
        bracketed.append(born <= day.replace(year=day.year - int(age)) < born.replace(day=1) + timedelta(days=400))
    assert recovered <= 3  # by chance: 60 / 365
    assert all(bracketed)  # a year is what the columns tell, and no less


def test_a_study_date_that_is_the_birth_date_is_not_written() -> None:
    columns = columns_of(header_only(StudyDate="19610317", AcquisitionDate="20200401"))
    assert (columns["StudyDate"], columns["AcquisitionDate"]) == (None, date(2020, 4, 1))
    assert columns_of(header_only(PatientBirthDate="17.03.1961", AcquisitionDate="19610317"))["AcquisitionDate"] is None


# texts


def test_texts_are_listed_or_pseudonyms() -> None:
    data = header_only(ManufacturerModelName="AX-300", ViewPosition="FRONT VIEW")
    columns = columns_of(data, listed_texts=read_sites(LISTED, "sites.csv", KEY))
    assert [columns[name] for name in TEXT_ATTRIBUTES[:2]] == ["Northgate General", "Aldwych"]
    assert columns["ManufacturerModelName"] == f"model-{KEY.pseudonym('AX-300', 'ManufacturerModelName')[:8]}"
    assert (columns["Modality"], columns["ViewPosition"]) == ("CR", "PA")
    unlisted = columns_of(data)
    assert unlisted["InstitutionName"] == f"site-{KEY.pseudonym('Northgate General', 'InstitutionName')[:8]}"
    assert unlisted["Manufacturer"].startswith("maker-")
    assert unlisted["ViewPosition"] is None
    assert columns_of(data, OTHER_KEY)["InstitutionName"] != unlisted["InstitutionName"]
    assert columns_of(data, None)["InstitutionName"] is None


def test_pseudonyms_group_and_kinds_differ() -> None:
    first, again = (columns_of(header_only(InstitutionName="One", Manufacturer="One", PatientID=patient)) for patient in ("7", "8"))
    assert first["InstitutionName"] == again["InstitutionName"]
    assert first["InstitutionName"].removeprefix("site-") != first["Manufacturer"].removeprefix("maker-")


# UIDs


def test_a_uid_that_holds_an_identifier_is_its_pseudonym_and_the_others_stand() -> None:
    study, series = "1.2.826.0.1.77120934.1", "1.2.826.0.1.20200401.1"
    columns = columns_of(header_only(StudyInstanceUID=study, SeriesInstanceUID=series))
    assert columns["StudyInstanceUID"] == KEY.pseudonym(study, "StudyInstanceUID")
    assert (columns["SeriesInstanceUID"], columns["SOPInstanceUID"]) == (series, uid_of("hostile", 3))
    sibling = columns_of(header_only(StudyInstanceUID=study, SOPInstanceUID="1.2.826.0.1.5"))
    assert sibling["StudyInstanceUID"] == columns["StudyInstanceUID"]
    assert columns_of(header_only(StudyInstanceUID=study), None)["StudyInstanceUID"] is None


def test_uids_become_pseudonyms_on_demand() -> None:
    plain, hidden = columns_of(header_only()), columns_of(header_only(), pseudonymize_uids=True)
    for kind in UIDS:
        assert hidden[kind] == KEY.pseudonym(plain[kind], kind) == columns_of(header_only(), Pseudonymizer(KEY.key, uids=True))[kind]
    assert columns_of(header_only(), None, pseudonymize_uids=True)["SOPInstanceUID"] is None


def test_classes_and_syntaxes_stand_where_dicom_registers_them() -> None:
    assert columns_of(header_only())["SOPClassUID"] == "1.2.840.10008.5.1.4.1.1.1"
    private = columns_of(header_only(SOPClassUID="1.3.12.2.1107.5.9.1"))
    assert private["SOPClassUID"] == "1.3.12.2.1107.5.9.1"
    assert columns_of(header_only(SOPClassUID="1.3.12.77120934"))["SOPClassUID"] == KEY.pseudonym("1.3.12.77120934", "SOPClassUID")
    found = ingest(hostile.good().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10.19610317\0"), IngestConfig(), KEY)
    assert found.columns["TransferSyntaxUID"] == KEY.pseudonym("1.2.840.10.19610317", "TransferSyntaxUID")
    assert "19610317" not in str(found.refusal)


@pytest.mark.parametrize("value", ["77120934", "19610317", "-1", "70000", "ten"])
def test_sizes_are_sizes(value: str) -> None:
    data = header_only()
    at = data.index(b"\x28\x00\x10\x00US")
    text = value.encode() + b" " * (len(value) % 2)
    columns = columns_of(data[:at] + b"\x28\x00\x10\x00IS" + struct.pack("<H", len(text)) + text + data[at + 10 :])
    assert columns["Rows"] is None
    assert columns["Columns"] == 560


# everything at once


def written(columns: dict[str, object]) -> str:
    return " ".join(str(value) for value in columns.values()).casefold()


def assert_nothing_tells(columns: dict[str, object], name: str) -> None:
    text = written(columns)
    tokens = text.replace("-", " ").split()
    for part in {name, *NAMES}:
        assert part.casefold() not in (text if len(part) > 3 else tokens)
    for spelling in (*BIRTH_DATES, *NUMBERS):
        assert spelling not in text


@pytest.mark.parametrize("name", NAMES)
def test_no_attribute_lets_a_name_or_a_birth_date_out(name: str) -> None:
    found = ingest(seeded(name), IngestConfig(), KEY)
    assert_nothing_tells(found.columns | {"detail": found.refusal}, name)
    assert found.columns["patient_pseudonym"]
    assert found.columns["InstitutionName"].startswith("site-")


@pytest.mark.parametrize("spelling", BIRTH_DATES)
def test_no_birth_date_leaves_in_any_spelling(spelling: str) -> None:
    texts = {keyword: spelling for keyword in (*TEXT_ATTRIBUTES, *CODE_ATTRIBUTES) if keyword != "Modality"}
    found = ingest(seeded("Ng", **texts), IngestConfig(), KEY)
    assert_nothing_tells(found.columns | {"detail": found.refusal}, "Ng")


def test_a_header_cut_at_any_element_lets_nothing_out() -> None:
    refusals = Counter()
    for data in cut_everywhere(seeded("Featherstonehaugh")):
        found = ingest(data, IngestConfig(), KEY)
        assert_nothing_tells(found.columns | {"detail": found.refusal}, "Featherstonehaugh")
        refusals[found.refusal.reason] += 1
    assert min(refusals[Reason.TRUNCATED], refusals[Reason.NO_PIXELS]) > 200


def test_a_cut_header_shows_no_text_no_date_and_no_uid_as_it_stands() -> None:
    data = hostile.good()
    whole = columns_of(data)
    cut = columns_of(data[: data.index(b"\x28\x00\x02\x00US") + 4])
    for keyword in (*TEXT_ATTRIBUTES, *CODE_ATTRIBUTES, "StudyDate", "AcquisitionDate"):
        assert cut[keyword] is None
    for keyword in UIDS:
        assert cut[keyword] == KEY.pseudonym(whole[keyword], keyword)
    assert cut["patient_pseudonym"] == whole["patient_pseudonym"]
    assert (cut["SOPClassUID"], math.floor(cut["age_years"])) == ("1.2.840.10008.5.1.4.1.1.1", 59)
