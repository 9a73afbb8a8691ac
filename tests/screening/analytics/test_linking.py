"""The link rule: what is refused, what the views read of it, and what is said of the reference table."""

from pathlib import Path

import pyarrow as pa
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.linking import FEW_MATCHED, LinkRule, checked_match, describe_links, match_rate
from screening.analytics.views import connect
from screening.errors import ReferenceTableError, UsageError
from tests.screening.instance_rows import instance_row, person, reference_of, write_instances


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window_before_days": -1}, "a window of -1 days before"),
        ({"window_after_days": -1}, "-1 after"),
        ({"episode_days": -1}, "--episode-days -1: give 0 or more"),
        ({"repeated": "last"}, "--repeated last: it is positive, nearest, agree"),
        ({"indeterminate": "unknown"}, "--indeterminate unknown: it is apart, positive, negative"),
    ],
)
def test_rules_that_mean_nothing(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LinkRule(**wrong)


def test_every_field_is_a_variable_of_the_views() -> None:
    assert LinkRule(1, 2, True, "nearest", "negative", 30).variables() == {
        "window_before_days": 1,
        "window_after_days": 2,
        "link_undated": True,
        "link_repeated": "nearest",
        "link_indeterminate": "negative",
        "episode_days": 30,
    }


def test_what_is_said_of_the_reference_table(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [instance_row(1)])
    columns = {name: ["", ""] for name in REFERENCE_SCHEMA.names}
    columns |= {"patient_pseudonym": [person(1), ""], "result": ["positive", "negative"]}
    with connect(str(tmp_path), pa.table(columns)) as connection:
        links = describe_links(connection)
    for words in ("from 14 days before to 21 days after", "an unknown date does not count.", "at most 90 days after the first"):
        assert words in links["link_rule"]
    assert (links["reference"]["rows"], links["reference"]["used"]) == (2, 1)
    assert [(row["column_name"], row["k"], row["first_row"]) for row in links["reference"]["cleaning"]] == [("row", 1, 2)]
    with connect(str(tmp_path)) as connection:
        assert describe_links(connection)["reference"] == {"rows": 0, "used": 0, "cleaning": []}
        assert describe_links(connection)["match"]["warning"] is None


def match_of(folder: Path, radiographs: range, tests: range) -> dict[str, object]:
    """Return the match of persons with a radiograph and persons with a test."""
    write_instances(str(folder), [instance_row(number) for number in radiographs])
    with connect(str(folder), reference_of(*((number, "positive", 0) for number in tests))) as connection:
        return match_rate(connection)


def test_whom_table_and_radiographs_have_in_common(tmp_path: Path) -> None:
    assert match_of(tmp_path, range(10), range(8, 12)) == {
        "reference_persons": 4,
        "with_radiograph": 2,
        "without_radiograph": 2,
        "share": 0.5,
        "radiograph_persons": 10,
        "with_test": 2,
        "without_test": 8,
        "warning": None,
    }


def test_few_in_common_are_warned_of(tmp_path: Path) -> None:
    match = match_of(tmp_path, range(10), range(9, 12))
    assert match["share"] == pytest.approx(1 / 3)
    assert FEW_MATCHED > 1 / 3
    assert str(match["warning"]).startswith("fewer than 50% of the persons of the reference table have a radiograph: check")


def test_nobody_in_common_is_no_answer(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [instance_row(number) for number in range(10)])
    with (
        connect(str(tmp_path), reference_of((98, "positive", 0), (99, "negative", 0))) as connection,
        pytest.raises(
            ReferenceTableError, match=r"none of the 2 persons .*which are of 10 others.*`screening pseudonymize TABLE --key FILE`"
        ),
    ):
        checked_match(connection)
    with connect(str(tmp_path / "nothing yet"), reference_of((1, "positive", 0))) as connection:
        assert checked_match(connection)["warning"] is None, "no radiograph yet is no mistake"
