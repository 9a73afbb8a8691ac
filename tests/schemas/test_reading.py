"""Readings: the message of the API and the columns of the file say the same, and what a reader sends has limits."""

import pytest
from pydantic import ValidationError

from schemas.columns import description_of
from schemas.reading import MAX_COMMENT, READING_SCHEMA, Finding, NewReading, Reading
from schemas.reference import REFERENCE_SCHEMA


def test_the_message_has_the_columns_of_the_file() -> None:
    assert list(Reading.model_fields) == READING_SCHEMA.names
    assert [field.name for field in READING_SCHEMA if field.nullable] == [
        name for name, field in Reading.model_fields.items() if not field.is_required()
    ]


def test_findings_are_the_readings_of_the_reference_table_and_unreadable() -> None:
    known = description_of(REFERENCE_SCHEMA.field("reading"))
    assert [finding for finding in Finding if finding not in known] == ["unreadable"]


@pytest.mark.parametrize(
    "wrong",
    [{"finding": "tuberculosis"}, {"comment": "x" * (MAX_COMMENT + 1)}, {"instance": ""}, {"instance": "1" * 129}, {"reader": "somebody"}],
)
def test_what_cannot_be_a_reading_is_refused(wrong: dict[str, str]) -> None:
    right = {"instance": "1.2.3", "finding": "covid", "comment": "x" * MAX_COMMENT}
    assert NewReading(**right).finding is Finding.COVID
    with pytest.raises(ValidationError):
        NewReading(**(right | wrong))
