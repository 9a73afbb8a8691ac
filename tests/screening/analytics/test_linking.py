"""The link rule: what is refused, what the views read of it, and what is said of the reference table."""

from pathlib import Path

import pyarrow as pa
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.linking import LinkRule, describe_links
from screening.analytics.views import connect
from screening.errors import UsageError
from tests.screening.instance_rows import instance_row, person, write_instances


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
