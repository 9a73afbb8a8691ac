"""Columns of tables that others wrote: found by our names, by the usual ones, or by a mapping, and never by a guess."""

import pytest

from screening.analytics.cases import CASE_COLUMNS
from screening.analytics.columns import SYNONYMS, check_mapping, find_columns
from screening.analytics.registry import REGISTRY_COLUMNS
from screening.errors import UsageError

DATES = ("symptom_onset_date", "specimen_date", "result_date", "death_date")


def test_usual_names_are_known_without_case_spaces_and_punctuation() -> None:
    header = ["Symptom-Onset", "採檢日期", "REPORT DATE", "Date of death", "remark"]
    assert find_columns(header, {}, "t", DATES) == dict(zip(DATES, header, strict=False))


def test_a_mapping_goes_first_and_our_own_name_before_others() -> None:
    header = ["sample_date", "swab_date", "specimen_date", "report_date"]
    assert find_columns(header, {}, "t", DATES) == {"specimen_date": "specimen_date", "result_date": "report_date"}
    assert find_columns(header, {"specimen_date": "swab_date"}, "t", DATES)["specimen_date"] == "swab_date"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, r"t: sample_date, swab_date could each be specimen_date\. Say which with --column specimen_date=sample_date"),
        ({"specimen": "swab_date"}, "--column specimen=swab_date: ours are symptom_onset_date, specimen_date"),
        ({"specimen_date": "swab"}, "t has no column swab, but sample_date, swab_date"),
    ],
)
def test_what_is_not_clear_is_refused(columns: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_columns(["sample_date", "swab_date"], columns, "t", DATES)


def test_a_mapping_alone_is_checked_too() -> None:
    with pytest.raises(UsageError, match="no column day"):
        check_mapping(["date"], {"result_date": "day"}, "t", DATES)


def test_every_column_that_is_looked_for_has_other_names_or_none_by_intent() -> None:
    assert {*CASE_COLUMNS, *REGISTRY_COLUMNS} == SYNONYMS.keys()
