"""lead_time: the paper's figures, and the parts that it does not print, by hand."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.cases import load_cases
from screening.analytics.lead_time import measure_lead_time
from screening.analytics.views import connect, connect_cases
from screening.errors import UsageError
from tests.paper_data import nhia_path
from tests.screening.instance_rows import NIGHT, instance_row, person, pneumonia_row, write_instances


@pytest.fixture
def answer(tmp_path) -> Callable[..., dict[str, Any]]:
    """A function that measures five confirmed persons and two who are not."""
    rows = [
        pneumonia_row(1, covid=True, StudyDate=NIGHT),  # 4 days before
        pneumonia_row(101, covid=True, patient_pseudonym=person(1), StudyDate=NIGHT + timedelta(6)),  # and again after confirmation
        pneumonia_row(2, covid=True, StudyDate=NIGHT),  # on the day
        pneumonia_row(3, covid=True, StudyDate=NIGHT),  # a day after
        instance_row(4),  # missed
        pneumonia_row(5, covid=True, StudyDate=None),  # no date
        pneumonia_row(6, covid=True),  # a false alert
        instance_row(7),
    ]
    days = {1: 4, 2: 0, 3: -1, 4: 3, 5: 3, 6: 2, 7: 2}
    tests = [
        {
            "patient_pseudonym": person(number),
            "symptom_onset_date": NIGHT - timedelta(1) if number <= 3 else None,
            "result_date": NIGHT + timedelta(after),
            "result": "positive" if number <= 5 else "negative",
        }
        for number, after in days.items()
    ]
    write_instances(str(tmp_path / "results"), rows)
    connection = connect(str(tmp_path / "results"), pa.Table.from_pylist(tests, REFERENCE_SCHEMA))
    return lambda *days, **arguments: measure_lead_time(connection, days, **arguments)


def test_summary_by_hand(answer: Callable[..., dict[str, Any]]):
    found = answer(0, 3, 4, 5)["summary"]
    assert [(row["days"], row["k"], row["n"]) for row in found] == [(0, 2, 5), (3, 1, 5), (4, 1, 5), (5, 0, 5)]
    assert {(row["detected"], row["detected_after"], row["dates_missing"]) for row in found} == {(4, 1, 1)}
    assert {(row["false_alerts"], row["false_alerts_n"], row["false_alerts_share"]) for row in found} == {(1, 2, 0.5)}


def test_images_after_confirmation_stand_apart(answer: Callable[..., dict[str, Any]]):
    found = {row["timing"]: (row["k"], row["n"], row["radiographs_after"]) for row in answer(1)["timing"]}
    assert found == {"before": (1, 5, 1), "same day": (1, 5, 0), "after": (1, 5, 1), "dates missing": (1, 5, 0), "missed": (1, 5, 0)}
    assert list(found) == ["before", "same day", "after", "dates missing", "missed"]


def test_by_onset_with_few_people_suppressed(answer: Callable[..., dict[str, Any]]):
    shown = answer(4, min_cell=1)["by_onset"]
    assert [(row["onset"], row["k"], row["n"], row["suppressed"]) for row in shown] == [("0 to 2", 1, 3, False), ("unknown", 0, 2, False)]
    hidden = answer(4, min_cell=3)["by_onset"]
    assert [(row["k"], row["n"], row["suppressed"]) for row in hidden] == [(None, None, True)] * 2, "one alone would follow from the total"


def test_longest_and_wrong_days(answer: Callable[..., dict[str, Any]]):
    assert [(row["patient_pseudonym"], row["lead_days"]) for row in answer(1, persons=2)["longest"]] == [(person(1), 4), (person(2), 0)]
    with pytest.raises(UsageError, match="0 or more"):
        answer(-1)


def test_the_papers_figures_and_what_it_does_not_print():
    found = measure_lead_time(connect_cases([load_cases(nhia_path())]), (2, 5), persons=4)
    assert [(row["days"], row["k"], row["n"], row["dates_missing"]) for row in found["summary"]] == [(2, 27, 109, 20), (5, 4, 109, 20)]
    assert {row["patient_pseudonym"] for row in found["longest"]} == {"24", "268", "279", "292"}
    assert sum(row["k"] for row in found["timing"]) == 109
    (alerts,) = found["false_alerts"]
    assert (alerts["false_alerts_k"], alerts["false_alerts_n"]) == (241, 1233)
