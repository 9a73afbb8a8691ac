"""lead_time: the paper's figures, and the parts that it does not print, by hand."""

import random
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.reasons import Reason
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.cases import load_cases
from screening.analytics.lead_time import measure_lead_time
from screening.analytics.linking import LinkRule
from screening.analytics.views import connect, connect_cases
from screening.errors import UsageError
from tests.paper_data import nhia_path
from tests.screening.instance_rows import NIGHT, instance_row, person, pneumonia_row, reference_of, refused_row, write_instances

Rows = list[dict[str, Any]]


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
    rule = LinkRule(link_undated=True)
    connection = connect(str(tmp_path / "results"), pa.Table.from_pylist(tests, REFERENCE_SCHEMA), rule=rule)
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
    hidden = answer(4, min_cell=4)["by_onset"]
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


FOUND = "select detected, confirmation_date, lead_days, timing, episode from lead_time order by patient_pseudonym"


def ask(folder: Path, query: str, rows: Rows, tests: pa.Table, **rule: Any) -> list[tuple]:
    """Return the rows of a query over instance rows and tests."""
    write_instances(str(folder / "results"), rows)
    with connect(str(folder / "results"), tests, rule=LinkRule(**rule)) as connection:
        return connection.sql(query).fetchall()


def of_person(number: int, day: int | None, covid: bool, who: int = 1) -> dict[str, Any]:
    """Return a scored radiograph of a person, taken so many days after NIGHT."""
    taken = None if day is None else NIGHT + timedelta(day)
    return pneumonia_row(number, covid=covid, patient_pseudonym=person(who), StudyDate=taken)


def test_lead_time_runs_to_the_first_positive_test_of_the_episode(tmp_path: Path):
    """Confirmed on 2 February, a radiograph on 1 April, tested again on 9 April."""
    tests = [
        {"patient_pseudonym": person(1), "specimen_date": day, "result_date": day, "result": "positive"}
        for day in (date(2020, 2, 2), date(2020, 4, 9))
    ]
    table, rows = pa.Table.from_pylist(tests, REFERENCE_SCHEMA), [of_person(1, 31, covid=True)]
    assert ask(tmp_path, FOUND, rows, table) == [(True, date(2020, 2, 2), -59, "after", 1)]
    assert ask(tmp_path, FOUND, rows, table, episode_days=30) == [(True, date(2020, 4, 9), 8, "before", 2)]


def test_episodes_by_hand(tmp_path: Path):
    """Days are counted from the first test of an episode, not from the one before; an undated test may have been the first of any."""
    table = reference_of(
        *((1, "positive", day) for day in (0, 50, 90, 91, 150, 181, 182)), (1, "negative", 10), (2, "positive", 5), (2, "positive", None)
    )
    asked = "select patient_pseudonym, first_test_date, last_test_date, confirmation_date, positive_tests from episodes order by 1, episode"

    def day(after: int) -> date:
        return NIGHT + timedelta(after)

    assert ask(tmp_path, asked, [], table) == [
        (person(1), day(0), day(90), day(1), 3),
        (person(1), day(91), day(181), day(92), 3),
        (person(1), day(182), day(182), day(183), 1),
        (person(2), day(5), day(5), None, 1),
        (person(2), None, None, None, 1),
    ]


def test_a_first_positive_test_without_a_date_leaves_the_lead_time_open(tmp_path: Path):
    found, person_1 = [of_person(1, 0, covid=True)], {"patient_pseudonym": person(1), "result": "positive"}
    for first in ({"specimen_date": NIGHT + timedelta(1)}, {}):  # never reported, or without any date
        tests = [person_1 | first, person_1 | {"specimen_date": NIGHT + timedelta(8), "result_date": NIGHT + timedelta(9)}]
        table = pa.Table.from_pylist([dict.fromkeys(REFERENCE_SCHEMA.names) | test for test in tests], REFERENCE_SCHEMA)
        assert ask(tmp_path, FOUND, found, table) == [(True, None, None, "dates missing", 1)]


def test_of_several_episodes_the_one_that_was_found(tmp_path: Path):
    table = reference_of((1, "positive", 2), (1, "positive", 200))
    rows = [of_person(1, 0, covid=False), of_person(2, 198, covid=True), of_person(3, 200, covid=False)]
    columns = "select detected, lead_days, episode, radiographs, first_radiograph_date from lead_time"
    assert ask(tmp_path, columns, rows, table) == [(True, 3, 2, 2, NIGHT + timedelta(198))]
    assert ask(tmp_path, columns, [row | {"covid_positive": False} for row in rows], table) == [(False, None, 1, 1, NIGHT)]


@pytest.mark.parametrize(("repeated", "lead"), [("positive", [9]), ("nearest", []), ("agree", [])])
def test_radiographs_that_are_not_positive_by_the_rule_take_no_part(tmp_path: Path, repeated: str, lead: list[int]):
    table = reference_of((1, "negative", 1), (1, "positive", 8))
    found = ask(tmp_path, "select lead_days from lead_time", [of_person(1, 0, covid=True)], table, repeated=repeated)
    assert [days for (days,) in found] == lead


def test_a_case_is_found_by_no_radiograph_of_another_time(tmp_path: Path):
    """Called positive in January with a negative test, and missed in June with a positive one."""
    table = reference_of((1, "negative", 0), (1, "positive", 150))
    write_instances(str(tmp_path), [of_person(1, 0, covid=True), of_person(2, 150, covid=False)])
    said = {
        FOUND: (False, NIGHT + timedelta(151), None, "missed", 1),
        "select tp, fn from accuracy where unit = 'patient'": (0, 1),
        "select score, round(value, 2), object_id from judgements where unit = 'patient' and question = 'covid'": (-1, 0.27, person(2)),
        "select truth, called, scored, round(covid_value::double, 2) from threshold_units": ("positive", False, True, 0.27),
        "select tp, fn from threshold_pairs where as_run": (0, 1),
    }
    with connect(str(tmp_path), table) as connection:
        for query, row in said.items():
            assert connection.sql(query).fetchall() == [row], query


def random_persons(seed: int, persons: int) -> tuple[Rows, list[tuple[int, str, int | None]]]:
    """Return radiographs and tests of persons over a year and a half, some without a date, some refused, some sent twice."""
    draw = random.Random(seed)
    rows, tests = [], []
    for who in range(1, persons + 1):
        for _ in range(draw.randrange(5)):
            day = None if draw.random() < 0.1 else draw.randrange(540)
            tests.append((who, draw.choice(("positive", "positive", "negative", "indeterminate")), day))
            for _ in range(draw.randrange(3)):  # most radiographs are taken about a test
                taken = None if day is None or draw.random() < 0.1 else day + draw.randrange(-25, 20)
                row = of_person(1000 + len(rows), taken, draw.random() < 0.4, who)
                if draw.random() < 0.15:
                    row |= refused_row(1000 + len(rows), Reason.LATERAL_VIEW, patient_pseudonym=person(who), StudyDate=row["StudyDate"])
                elif rows and draw.random() < 0.1:
                    row["pixel_hash"] = rows[-1]["pixel_hash"]
                rows.append(row)
    return rows, tests


RULES = [
    {},
    {"repeated": "nearest", "indeterminate": "positive"},
    {"repeated": "agree", "link_undated": True},
    {"episode_days": 20, "indeterminate": "negative", "link_undated": True},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_who_is_found_is_the_same_in_accuracy_and_in_lead_time(tmp_path: Path, rule: dict[str, Any]):
    rows, tests = random_persons(7, 400)
    both = (
        "select lead_time.patient_pseudonym, detected, cell, truth from lead_time full join "
        "(from judgements where unit = 'patient' and question = 'covid' and cell in ('tp', 'fn')) as judged using (patient_pseudonym)"
    )
    found = ask(tmp_path, both, rows, reference_of(*tests), **rule)
    assert len(found) > 80
    assert {detected for _, detected, _, _ in found} == {True, False}
    assert [row for row in found if row[1] is not (row[2] == "tp") or row[3] != "positive"] == []


def first_lead(taken: Sequence[int], tests: Sequence[int], episode_days: int) -> int | None:
    """Return the lead time of a person from the days of positive radiographs and positive tests; results come a day after the test."""
    starts: list[int] = []
    for day in sorted(tests):
        if not starts or day - starts[-1] > episode_days:
            starts.append(day)
    for day in sorted(taken):
        linked = [test for test in tests if -14 <= test - day <= 21]
        if linked:
            return max(start for start in starts if start <= min(linked)) + 1 - day
    return None


@pytest.mark.parametrize("episode_days", [0, 20, 90])
def test_lead_times_are_those_of_a_second_implementation(tmp_path: Path, episode_days: int):
    draw = random.Random(3)
    tests = {who: [draw.randrange(400) for _ in range(draw.randrange(1, 6))] for who in range(1, 151)}
    taken = {who: [draw.randrange(400) for _ in range(3)] + [tests[who][0] - 3] for who in tests}
    rows = [of_person(10 * who + place, day, True, who) for who, days in taken.items() for place, day in enumerate(days)]
    table = reference_of(*((who, "positive", day) for who, days in tests.items() for day in days))
    found = ask(tmp_path, "select patient_pseudonym, lead_days from lead_time", rows, table, episode_days=episode_days)
    assert dict(found) == {person(who): first_lead(taken[who], tests[who], episode_days) for who in tests}
