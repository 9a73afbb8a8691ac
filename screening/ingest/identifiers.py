"""The numbers that identify a patient, and whether a UID holds one of them.

Some machines build UIDs of the PatientID, the accession number or the birth date. The rules here are the same for every UID:

* A number is the digits of an identifier, without what stands between them. A component of a UID has no leading zeros (PS3.5 9.1), so a
  number is looked for without them, too. One of fewer than 3 digits is not looked for, because most UIDs have such a component by chance.
* A UID holds a number of 3 digits and more that is one of its components, and one of 6 digits and more that stands anywhere among its
  digits, across the dots as well. By chance 1 in 20,000 UIDs holds a given number of 6 digits, and 1 in 2,000 would hold one of 5.
* A UID holds a birth date as YYYYMMDD, YYYYDDMM, DDMMYYYY or MMDDYYYY anywhere among its digits, as YYMMDD, DDMMYY or MMDDYY anywhere in a
  component, and as three components in a row. Many UIDs hold the date of the study: within it no birth date of two-digit years is seen,
  and an identifier that is only that date counts for nothing.

Letters have no place in a UID, so that an identifier without digits cannot stand there.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from pydicom.uid import UID_dictionary

from screening.dicom.header import Header
from screening.ingest.gate import dicom_date

SHORTEST_COMPONENT = 3  # digits of a number that is looked for as a component
SHORTEST_PART = 6  # digits of a number that is looked for anywhere
_NUMBERS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "AdmissionID", "MedicalRecordLocator")
_NUMBERS_OF_ITEMS = (("OtherPatientIDsSequence", "PatientID"), ("RequestAttributesSequence", "AccessionNumber"))
_STUDY_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate")
_LONG_DATES = ("%Y%m%d", "%Y%d%m", "%d%m%Y", "%m%d%Y")
_SHORT_DATES = ("%y%m%d", "%d%m%y", "%m%d%y")


@dataclass(frozen=True)
class Identifiers:
    """What no UID of a patient may hold. `birth_date` is None where the header has none that can be read."""

    components: frozenset[str]  # numbers that are no component, without leading zeros
    parts: frozenset[str]  # digits that stand nowhere among a UID's digits
    birth_date: date | None
    study_dates: frozenset[date]

    @classmethod
    def of(cls, header: Header) -> "Identifiers":
        """Return the identifiers of a header and of its sequences. Raises ImageRefused where one of these is broken."""
        texts = [text for keyword in _NUMBERS for text in header.texts(keyword)]
        for sequence, keyword in _NUMBERS_OF_ITEMS:
            texts += [text for item in header.items(sequence) for text in item.texts(keyword)]
        born = birth_date(header)
        study = frozenset(filter(None, (dicom_date(header.text(keyword)) for keyword in _STUDY_DATES))) - {born}
        only_study_dates = {day.strftime("%Y%m%d") for day in study}
        whole = {_digits(text) for text in texts} - only_study_dates
        runs = {run for text in texts for run in re.findall(r"\d+", text)} - only_study_dates
        if born is None:  # in a spelling that nobody knows it is looked for as it stands
            whole.add(_digits(header.text("PatientBirthDate")))
        bare = {number.lstrip("0") for number in whole}
        return cls(
            frozenset(number for number in bare if len(number) >= SHORTEST_COMPONENT),
            frozenset(number for number in whole | bare | runs if len(number) >= SHORTEST_PART),
            born,
            study,
        )

    def stand_in(self, uid: str) -> bool:
        """Tell whether a UID holds one of them."""
        digits = uid.replace(".", "")
        if not self.components.isdisjoint(uid.split(".")) or any(part in digits for part in self.parts):
            return True
        return self.birth_date is not None and self._birth_date_stands_in(uid, self.birth_date)

    def _birth_date_stands_in(self, uid: str, born: date) -> bool:
        digits = uid.replace(".", "")
        if any(_spelled(born, form).lstrip("0") in digits for form in _LONG_DATES):
            return True
        year, month, day = str(born.year), str(born.month), str(born.day)
        if any(f".{'.'.join(parts)}." in f".{uid}." for parts in ((year, month, day), (day, month, year), (month, day, year))):
            return True
        for study_date in self.study_dates:
            for form in _LONG_DATES:
                uid = uid.replace(_spelled(study_date, form), ".")
        short = {_spelled(born, form) for form in _SHORT_DATES}
        bare = {spelling.lstrip("0") for spelling in short if spelling.startswith("0") and not spelling.startswith("00")}
        components = uid.split(".")
        return not bare.isdisjoint(components) or any(spelling in component for component in components for spelling in short)


def birth_date(header: Header) -> date | None:
    """Return PatientBirthDate, also where its day stands first, against PS3.5 6.2; None where it cannot be read."""
    text = header.text("PatientBirthDate")
    day_first = re.fullmatch(r"(\d{1,2})[./ -]?(\d{1,2})[./ -]?(\d{4})", text)
    if (read := dicom_date(text)) is not None or day_first is None:
        return read
    day, month, year = day_first.groups()
    return dicom_date(f"{year}{month:0>2}{day:0>2}") or dicom_date(f"{year}{day:0>2}{month:0>2}")


def is_registered(uid: str) -> bool:
    """Tell whether a UID is one of DICOM's own (PS3.6 Annex A), which names a class or a syntax and never a patient."""
    return uid in UID_dictionary


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(character)) for character in text if character.isdigit())


def _spelled(day: date, form: str) -> str:
    return day.strftime(form.replace("%Y", f"{day.year:04}"))  # strftime itself pads years on some platforms only
