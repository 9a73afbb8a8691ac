"""Whether a threshold was chosen on the people of a results folder, and what is said of it then."""

from pathlib import Path

import pytest

from screening.analytics.chosen import BOTH_STAGES, UNREAD, measure_optimism
from screening.analytics.optimism import correct_choice, load_units
from screening.analytics.thresholds import Target
from screening.analytics.views import connect
from tests.chosen_results import RULE, write_chosen


def test_a_choice_on_these_people_is_repeated(tmp_path: Path) -> None:
    results, reference, digest = write_chosen(tmp_path)
    connection = connect(results, reference)
    (row,) = measure_optimism(connection, results, replicates=40, seed=3)
    expected = correct_choice(load_units(connection, digest), Target(sensitivity=0.9), 40, 3)
    assert {name: row[name] for name in expected} == expected
    assert (row["rule"], row["why_not"], row["unit"], row["sensitivity_n"]) == (RULE, None, "patient", 20)
    assert row["sensitivity_corrected"] == pytest.approx(row["sensitivity"] - row["sensitivity_optimism"])
    assert measure_optimism(connection, None) == []


@pytest.mark.parametrize(
    ("rule", "stages", "why_not"), [(RULE, ("covid", "pneumonia"), BOTH_STAGES), ("youden", ("covid",), UNREAD)], ids=["both", "rule"]
)
def test_a_choice_that_cannot_be_repeated_says_why(tmp_path: Path, rule: str, stages: tuple[str, ...], why_not: str) -> None:
    results, reference, _ = write_chosen(tmp_path, rule, stages)
    (row,) = measure_optimism(connect(results, reference), results)
    assert row["why_not"] == why_not
    assert "sensitivity_corrected" not in row
