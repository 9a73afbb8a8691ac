"""Who is X-rayed when, and what the registry says."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

from schemas.reference import REFERENCE_SCHEMA, TestResult
from screening.phantom.people import FIRST_DAY, REGISTRY_COLUMNS, WEEKS, plan_studies, registry_rows

STUDIES = plan_studies(2000, 1)
PEOPLE = {study.person.number: study.person for study in STUDIES}
ROWS = {number: registry_rows(person) for number, person in PEOPLE.items()}


def test_the_plan_follows_its_seed_and_grows_at_the_end():
    assert plan_studies(50, 1) == STUDIES[:50]
    assert plan_studies(50, 2)[0].person.patient_id != STUDIES[0].person.patient_id


def test_findings_and_repeats():
    counts = Counter(person.finding for person in PEOPLE.values())
    for finding, share in (("normal", 0.5), ("pneumonia", 0.25), ("covid", 0.25)):
        assert abs(counts[finding] - share * len(PEOPLE)) <= 1
    repeats = Counter(Counter(study.person.number for study in STUDIES).values())
    assert set(repeats) == {1, 2}
    assert 0.1 < repeats[2] / len(PEOPLE) < 0.2
    assert [study.number for study in STUDIES] == list(range(2000))
    assert len({study.seed for study in STUDIES}) == 2000


def test_dates_are_possible():
    days = [study.study_date for study in STUDIES]
    assert min(days) == FIRST_DAY
    assert max(days) < FIRST_DAY + timedelta(weeks=WEEKS + 1)
    for rows in ROWS.values():
        for row in rows:
            assert row["specimen_date"] < row["result_date"]
            assert row["symptom_onset_date"] is None or row["symptom_onset_date"] <= row["specimen_date"]
        for earlier, later in pairwise(rows):
            assert earlier["result_date"] <= later["specimen_date"]


def test_splits_are_by_person_and_hold_every_finding():
    assert all(study.person.split in ("train", "val", "test") for study in STUDIES)
    counts = Counter((person.split, person.finding) for person in PEOPLE.values())
    assert len(counts) == 9
    assert abs(sum(counts["train", finding] for finding in ("normal", "pneumonia", "covid")) / len(PEOPLE) - 0.7) < 0.03


def test_registry_has_every_case_that_analytics_must_bear():
    assert set(REGISTRY_COLUMNS[1:]) == set(REFERENCE_SCHEMA.names) - {"patient_pseudonym"}
    by_finding = Counter((PEOPLE[number].finding, rows[-1]["result"] if rows else None) for number, rows in ROWS.items())
    assert by_finding["covid", TestResult.POSITIVE] > 0.85 * sum(count for (finding, _), count in by_finding.items() if finding == "covid")
    assert by_finding["covid", None] > 0
    assert by_finding["normal", TestResult.NEGATIVE] > 0
    assert by_finding["normal", TestResult.POSITIVE] == by_finding["pneumonia", TestResult.POSITIVE] == 0
    assert by_finding["normal", TestResult.INDETERMINATE] > 0
    sequences = Counter(tuple(row["result"] for row in rows) for rows in ROWS.values())
    assert sequences["negative", "positive"] > 0
    readings = Counter(row["reading"] for rows in ROWS.values() for row in rows)
    assert set(readings) == {"normal", "pneumonia", "covid", None}


def test_radiographs_come_before_and_after_confirmation():
    lead = [
        (rows[-1]["result_date"] - PEOPLE[number].first_study_date).days
        for number, rows in ROWS.items()
        if rows and rows[-1]["result"] == "positive"
    ]
    assert min(lead) < 0 < max(lead)
    assert 1 < sum(lead) / len(lead) < 6
