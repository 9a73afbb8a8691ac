"""The views, against tables worked by hand and against the paper's own figures."""

import csv
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.heatmap import HEATMAP_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reasons import Reason
from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.linking import LinkRule
from screening.analytics.template import REFERENCE_VIEWS, VIEWS
from screening.analytics.views import connect, describe, list_views
from screening.errors import UsageError
from tests.screening.instance_rows import (
    DIGEST,
    NIGHT,
    instance_row,
    person,
    pneumonia_row,
    reference_of,
    refused_row,
    write_instances,
)

Rows = list[dict[str, Any]]
UNDATED = LinkRule(link_undated=True)  # the paper's table has no dates of those who were negative


def ask(results: str, query: str, reference: pa.Table | None = None, **arguments: Any) -> Rows:
    """Return the rows of a query."""
    return connect(results, reference, **arguments).sql(query).to_arrow_table().to_pylist()


@pytest.fixture
def results(tmp_path: Path) -> Callable[[Rows], str]:
    """A function that writes instance rows and returns the results folder."""

    def write(rows: Rows) -> str:
        write_instances(str(tmp_path / "results"), rows)
        return str(tmp_path / "results")

    return write


def test_empty_results_have_every_view_and_no_rows(tmp_path: Path):
    connection = connect(str(tmp_path), REFERENCE_SCHEMA.empty_table())
    for view in (*VIEWS, *REFERENCE_VIEWS):
        assert len(connection.table(view).fetchall()) == (1 if view in ("link_rule", "match_rate") else 0)
    assert connection.table("instances").columns == [*INSTANCE_SCHEMA.names, "counts", "duplicate_of"]
    assert connection.table("heatmaps").columns == HEATMAP_SCHEMA.names


def test_views_have_the_same_columns_and_types_with_and_without_rows(results: Callable[[Rows], str], tmp_path: Path):
    empty, full = connect(str(tmp_path / "none"), reference_of()), connect(results([instance_row(1)]), reference_of())
    for view in (*VIEWS, *REFERENCE_VIEWS):
        assert (empty.table(view).columns, empty.table(view).types) == (full.table(view).columns, full.table(view).types)


def test_every_view_states_its_grain_and_every_column_its_meaning(tmp_path: Path):
    connection = connect(str(tmp_path), REFERENCE_SCHEMA.empty_table())
    for view, grain in list_views().items():
        assert grain.startswith("one row"), view
        columns = describe(connection, view)
        assert columns, view
        assert [column.name for column in columns if not column.description] == [], view
    with pytest.raises(UsageError, match="no view nonsense: there are accuracy"):
        describe(connection, "nonsense")


def test_rows_come_from_every_bundle_night_and_shard(results: Callable[[Rows], str]):
    rows = [
        instance_row(1),
        instance_row(2, shard_id="1" * 16),
        instance_row(3, screen_date=date(2020, 3, 2)),
        instance_row(1, bundle_digest="b" * 64),
    ]
    folder = results(rows)
    assert ask(folder, "select count(*) as n, count(distinct screen_date) as nights from instances") == [{"n": 4, "nights": 2}]
    for digits in ("b", "b" * 12, "b" * 64):
        assert ask(folder, "select count(*) as n from instances", bundle=digits) == [{"n": 1}]
    with pytest.raises(UsageError, match=f"no rows of bundle c: there are {'a' * 12}, {'b' * 12}"):
        connect(folder, bundle="c")


def test_instance_rows_come_back_as_they_were_written(results: Callable[[Rows], str]):
    row = pneumonia_row(1, covid=True, age_years=61.0, ViewPosition="PA")
    (back,) = ask(results([row]), "from instances")
    (written,) = pa.Table.from_pylist([row], INSTANCE_SCHEMA).to_pylist()
    assert back == written | {"counts": True, "duplicate_of": None}


def test_results_on_s3(s3_bucket: str):
    write_instances(f"{s3_bucket}/results", [pneumonia_row(number, shard_id=f"{number % 3:016}") for number in range(10)])
    assert ask(f"{s3_bucket}/results", "select images from flow where box = 'pneumonia positive'") == [{"images": 10}]
    assert ask(f"{s3_bucket}/results", "select unit, tp from accuracy", reference_of((1, "positive", 0)), bundle="aaaa")[0]["tp"] == 0


def test_the_same_image_sent_twice_counts_once(results: Callable[[Rows], str]):
    uid, pixels = {"SOPInstanceUID": "9.9", "patient_pseudonym": person(1)}, {"pixel_hash": "f" * 32}
    rows = [
        instance_row(1, **uid, StudyDate=date(2020, 3, 3)),
        instance_row(2, **uid, StudyDate=date(2020, 3, 2)),  # the earliest: counts
        refused_row(3, Reason.READ_FAILED, **uid, StudyDate=date(2020, 1, 1)),  # earlier still, but not scored
        instance_row(4, **pixels),
        instance_row(5, **pixels, PatientSex="F", ViewPosition="PA"),  # as early, and more complete: counts
        instance_row(6),  # alone
        instance_row(7, **pixels, bundle_digest="b" * 64),  # another bundle's answer is no copy
        refused_row(8, Reason.BLANK, **pixels),  # pixels that were rejected say nothing
        refused_row(9, Reason.NOT_DICOM, SOPInstanceUID=None),
        refused_row(10, Reason.NOT_DICOM, SOPInstanceUID=None),
    ]
    found = {row["object_id"]: row["duplicate_of"] for row in ask(results(rows), "from instances where not counts")}
    assert found == {person(1): person(2), person(3): person(2), person(4): person(5)}


def test_two_persons_who_share_a_uid_both_count(results: Callable[[Rows], str]):
    shared = {"SOPInstanceUID": "9.9"}
    unknown = {"patient_pseudonym": None, "SOPInstanceUID": "9.9"}
    rows = [
        pneumonia_row(1, covid=True, **shared),
        instance_row(2, **shared),  # other pixels, another person
        instance_row(3, **shared, pixel_hash=person(1)),  # the pixels of 1 under another name
        refused_row(4, Reason.BLANK, **shared),
        instance_row(5, **unknown),
        refused_row(6, Reason.BLANK, **unknown),  # nothing says that it is not 5
    ]
    folder = results(rows)
    found = {row["object_id"]: row["duplicate_of"] for row in ask(folder, "from instances where not counts")}
    assert found == {person(3): person(1), person(6): person(5)}
    boxes = {row["box"]: row["images"] for row in ask(folder, "from flow where reason is null")}
    assert boxes["objects found"] == boxes["scored"] + boxes["rejected"] + boxes["failed"] == 6
    assert boxes["scored"] == boxes["second copies"] + boxes["radiographs that count"] == 4
    (answer,) = ask(folder, "from accuracy where unit = 'patient'", reference_of((1, "positive", 0), (2, "negative", 0)))
    assert (answer["tp"], answer["tn"]) == (1, 1)


def test_copies_of_copies_belong_together(results: Callable[[Rows], str]):
    """1 and 2 share a UID, 2 and 3 pixels, 3 and 4 a UID: one image in four rows."""
    rows = [
        instance_row(1, SOPInstanceUID="9.1", pixel_hash="1" * 32),
        instance_row(2, SOPInstanceUID="9.1", pixel_hash="2" * 32),
        instance_row(3, SOPInstanceUID="9.3", pixel_hash="2" * 32),
        instance_row(4, SOPInstanceUID="9.3", pixel_hash="4" * 32),
    ]
    for order in (rows, rows[::-1]):
        for url, row in zip("abcd", order, strict=True):
            row |= {"object_url": f"file:///{url}", "patient_pseudonym": person(1)}
        found = ask(results(rows), "select object_id, duplicate_of from instances where counts is false")
        assert {row["duplicate_of"] for row in found} == {order[0]["object_id"]}
        assert len(found) == 3


def test_heatmaps_are_one_row_each(results: Callable[[Rows], str]):
    rows = [pneumonia_row(1, covid=True, pneumonia_heatmap_url="p", covid_heatmap_url="c", covid_guided_url="g"), instance_row(2)]
    found = ask(results(rows), "select kind, heatmap_url from heatmaps order by object_id, heatmap_url")
    assert [row["kind"] for row in found] == ["covid", "guided", "pneumonia", "lungs", "lungs"]
    assert found[0]["heatmap_url"] == "c"


def test_flow_by_hand(results: Callable[[Rows], str]):
    rows = [
        instance_row(1),
        instance_row(2, audit_sample=True, stage_reached="covid", covid_logit=-3.0, covid_score=0.05),
        instance_row(3, patient_pseudonym=person(1)),
        instance_row(4, pixel_hash=person(3)),  # a copy of 3
        pneumonia_row(5),
        pneumonia_row(6, covid=True),
        refused_row(7, Reason.LATERAL_VIEW),
        refused_row(8, Reason.LATERAL_VIEW, patient_pseudonym=None),
        refused_row(9, Reason.NOT_DICOM, patient_pseudonym=None),
        refused_row(10, Reason.DECODE_TIMEOUT),
    ]
    folder = results(rows)
    without = ask(folder, "select box, reason, images, patients from flow")
    assert [tuple(row.values()) for row in without] == [
        ("objects found", None, 10, 7),
        ("rejected", None, 3, 1),
        ("rejected", "lateral_view", 2, 1),
        ("rejected", "not_dicom", 1, 0),
        ("failed", None, 1, 1),
        ("failed", "decode_timeout", 1, 1),
        ("scored", None, 6, 5),
        ("second copies", None, 1, 1),
        ("radiographs that count", None, 5, 4),
        ("pneumonia negative", None, 3, 2),
        ("audit sample", None, 1, 1),
        ("pneumonia positive", None, 2, 2),
        ("reached stage 3", None, 3, 3),
        ("covid positive", None, 1, 1),
        ("linked with a test", None, None, None),
        ("reference positive", None, None, None),
        ("reference negative", None, None, None),
        ("reference indeterminate", None, None, None),
        ("unverified", None, None, None),
    ]
    reference = reference_of((1, "negative", 0), (5, "indeterminate", 3), (6, "positive", 2), (6, "negative", 9), (7, "positive", 0))
    with_reference = ask(folder, "select box, images, patients from flow where step >= 12", reference)
    assert [tuple(row.values()) for row in with_reference] == [
        ("linked with a test", 4, 3),
        ("reference positive", 1, 1),
        ("reference negative", 2, 1),
        ("reference indeterminate", 1, 1),
        ("unverified", 1, 1),
    ]


def test_accuracy_by_hand(results: Callable[[Rows], str]):
    """Eight persons, one in each cell of the table and beside it; person 1 with a second, negative radiograph in another study."""
    rows = [
        pneumonia_row(1, covid=True),
        instance_row(101, patient_pseudonym=person(1)),
        pneumonia_row(2, covid=True),
        instance_row(3),
        instance_row(4),
        pneumonia_row(5),
        pneumonia_row(6, covid=True),
        refused_row(7, Reason.LATERAL_VIEW),
        refused_row(8, Reason.READ_FAILED),
    ]
    tests = [(1, "positive", 3), (2, "negative", 1), (3, "positive", -2), (4, "negative", 0), (5, "indeterminate", 0), (7, "positive", 0)]
    answers = {row["unit"]: row for row in ask(results(rows), "from accuracy", reference_of(*tests))}
    cells = ("units", "tp", "fp", "fn", "tn", "indeterminate", "unverified", "not_scored", "not_scored_positive", "undated")
    assert [answers["patient"][cell] for cell in cells] == [8, 1, 1, 1, 1, 1, 1, 2, 1, 0]
    assert [answers["instance"][cell] for cell in cells] == [9, 1, 1, 2, 1, 1, 1, 2, 1, 0]
    assert [answers["study"][cell] for cell in cells] == [9, 1, 1, 2, 1, 1, 1, 2, 1, 0]
    assert {row["question"] for row in answers.values()} == {"covid"}, "no readings, so no question of pneumonia"
    instance = answers["instance"]
    assert (instance["sensitivity_k"], instance["sensitivity_n"], instance["sensitivity"]) == (1, 3, pytest.approx(1 / 3))
    assert instance["sensitivity_low"] == pytest.approx(0.0615, abs=1e-4)
    assert instance["sensitivity_high"] == pytest.approx(0.7923, abs=1e-4)
    assert (instance["specificity_k"], instance["specificity_n"]) == (1, 2)
    assert (instance["ppv_k"], instance["ppv_n"]) == (1, 2)
    assert (instance["npv_k"], instance["npv_n"]) == (1, 3)


def test_pneumonia_is_held_against_the_radiologists_reading(results: Callable[[Rows], str]):
    folder = results([pneumonia_row(1), instance_row(2), pneumonia_row(3), instance_row(4), instance_row(5)])
    readings = [
        reference_of((1, "negative", 0), (2, "negative", 0), reading="pneumonia"),
        reference_of((3, "negative", 0), reading="normal"),
    ]
    readings += [reference_of((4, "positive", 0), reading="covid"), reference_of((5, "negative", 0))]
    (answer,) = ask(folder, "from accuracy where unit = 'patient' and question = 'pneumonia'", pa.concat_tables(readings))
    assert [answer[cell] for cell in ("tp", "fp", "fn", "tn", "unverified")] == [1, 1, 2, 0, 1]


def test_nothing_to_divide_by_is_null(results: Callable[[Rows], str]):
    (answer, *_) = ask(results([instance_row(1)]), "from accuracy", reference_of((1, "negative", 0)))
    assert [answer[name] for name in ("sensitivity", "sensitivity_low", "sensitivity_high", "ppv")] == [None] * 4
    assert answer["specificity"] == 1.0


@pytest.mark.parametrize(("days", "linked"), [(-15, False), (-14, True), (21, True), (22, False), (None, False)])
def test_the_window_between_radiograph_and_specimen(results: Callable[[Rows], str], days: int | None, linked: bool):
    folder, reference = results([instance_row(1)]), reference_of((1, "negative", days))
    (answer,) = ask(folder, "select tn, unverified, undated from accuracy where unit = 'patient'", reference)
    assert answer == {"tn": int(linked), "unverified": int(not linked), "undated": 0}
    wide = LinkRule(window_before_days=15, window_after_days=22)
    assert len(ask(folder, "from links", reference, rule=wide)) == int(days is not None)
    (asked,) = ask(folder, "select tn, undated from accuracy where unit = 'patient'", reference, rule=LinkRule(link_undated=True))
    assert asked == {"tn": int(linked or days is None), "undated": int(days is None)}


def test_a_positive_test_in_the_window_decides(results: Callable[[Rows], str]):
    reference = reference_of((1, "negative", 0), (1, "positive", 5), (1, "indeterminate", 6), (2, "indeterminate", 0), (2, "negative", 1))
    found = ask(results([instance_row(1), instance_row(2), instance_row(3)]), "select rt_pcr from verdicts order by object_id", reference)
    assert [row["rt_pcr"] for row in found] == ["positive", "negative", None]


def test_the_link_rule_is_printed(tmp_path: Path):
    (rule,) = ask(str(tmp_path), "from link_rule", rule=LinkRule(3, 7, episode_days=30))
    assert (rule["window_before_days"], rule["window_after_days"], rule["episode_days"]) == (3, 7, 30)
    assert "from 3 days before to 7 days after" in rule["rule"]
    assert "An unknown" not in rule["rule"]
    assert "an unknown date does not count. " in rule["rule"]
    assert "at most 30 days after the first of them belong to one episode" in rule["rule"]
    with pytest.raises(UsageError, match="window of -1 days"):
        LinkRule(-1)


def test_without_a_reference_table_the_views_say_how_to_get_them(results: Callable[[Rows], str]):
    folder = results([pneumonia_row(1, covid=True)])
    without, empty = connect(folder), connect(folder, reference_of())
    for view in REFERENCE_VIEWS:
        for query in (f"from {view}", f"select count(*) from {view}", f"from {view} where bundle_digest = '{DIGEST}'"):
            with pytest.raises(duckdb.Error, match=r"needs the RT-PCR results.*--reference FILE"):
                without.sql(query).fetchall()
        assert describe(without, view) == describe(empty, view)


def test_lead_time_by_hand(results: Callable[[Rows], str]):
    rows = [
        instance_row(1, StudyDate=NIGHT - timedelta(5)),  # missed first,
        pneumonia_row(101, covid=True, patient_pseudonym=person(1), StudyDate=NIGHT - timedelta(2)),  # then found
        pneumonia_row(102, covid=True, patient_pseudonym=person(1), StudyDate=NIGHT),
        pneumonia_row(2, covid=True),  # found after confirmation
        instance_row(3),  # missed
        pneumonia_row(4, covid=True, StudyDate=None),  # no date
        pneumonia_row(5, covid=True),  # never confirmed
        refused_row(6, Reason.LATERAL_VIEW),  # confirmed, but not scored
        pneumonia_row(7, covid=True, StudyDate=NIGHT - timedelta(100)),  # too long before
        pneumonia_row(8, covid=True, StudyDate=None, AcquisitionDate=NIGHT),
    ]
    tests = [(1, "negative", -4), (1, "positive", 3), (1, "positive", 9), (2, "positive", -3), (3, "positive", 2), (4, "positive", 2)]
    tests += [(5, "negative", 1), (6, "positive", 1), (7, "positive", 0), (8, "positive", 0)]
    folder, reference, rule = results(rows), reference_of(*tests), LinkRule(link_undated=True)
    found = ask(folder, "select patient_pseudonym, detected, lead_days, dates_missing from lead_time", reference, rule=rule)
    assert [tuple(row.values()) for row in found] == [
        (person(1), True, 6, False),
        (person(8), True, 1, False),
        (person(2), True, -2, False),
        (person(3), False, None, False),
        (person(4), True, None, True),
    ]
    summary = ask(folder, "select days, k, n, detected, dates_missing from lead_time_summary", reference, rule=rule)
    assert [tuple(row.values()) for row in summary] == [(1, 2, 5, 4, 1), (2, 1, 5, 4, 1), (5, 1, 5, 4, 1)]


def nhia_cases() -> Rows:
    """Return the rows of the paper's evaluation, or skip where the file is not at hand."""
    default = Path(__file__).resolve().parents[3] / "shared/data/paper"
    path = Path(os.environ.get("PAPER_DATA", default)) / "nhia.csv"
    if not path.exists():
        pytest.skip(f"no {path.name}: set PAPER_DATA to the folder that holds it")
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def nhia(tmp_path: Path) -> tuple[str, pa.Table]:
    """The paper's 1,342 persons as results of four bundles: all of them, those of each split, and those with visible signs."""

    def day(text: str) -> date | None:
        return date.fromisoformat(text) if text else None

    rows, tests = [], []
    for case in nhia_cases():
        number, covid = int(case["case_id"]), case["label"] == "covid"
        bundles = ["a", {"val": "b", "test": "c"}[case["split"]], *(["d"] if case["visible_signs"] == "1" else [])]
        row = pneumonia_row(number, covid=case["stage3_positive"] == "1", StudyDate=day(case["cxr_date"]))
        rows += [row | {"bundle_digest": bundle * 64} for bundle in bundles]
        confirmed = day(case["rt_pcr_confirmed_date"])
        onset = day(case["symptom_onset_date"])
        result = "positive" if covid else "negative"
        tests.append({"patient_pseudonym": person(number), "result": result, "result_date": confirmed, "symptom_onset_date": onset})
    write_instances(str(tmp_path / "results"), rows)
    return str(tmp_path / "results"), pa.Table.from_pylist(tests, REFERENCE_SCHEMA)


@pytest.mark.parametrize(
    ("bundle", "sensitivity", "specificity"),
    [("b", (45, 54, 83.33), (494, 614, 80.46)), ("c", (45, 55, 81.82), (498, 619, 80.45)), ("d", (42, 47, 89.36), (0, 0, None))],
)
def test_accuracy_is_the_papers(nhia: tuple[str, pa.Table], bundle: str, sensitivity: tuple, specificity: tuple):
    (answer,) = ask(nhia[0], "from accuracy where unit = 'patient'", nhia[1], bundle=bundle, rule=UNDATED)
    for name, (k, n, percent) in (("sensitivity", sensitivity), ("specificity", specificity)):
        assert (answer[f"{name}_k"], answer[f"{name}_n"]) == (k, n)
        assert answer[name] is None if percent is None else round(100 * answer[name], 2) == percent
    assert answer["unverified"] == answer["indeterminate"] == answer["not_scored"] == 0


@pytest.mark.parametrize(("bundle", "low", "high"), [("c", 69.7, 89.8), ("d", 77.4, 95.4)])
def test_intervals_are_the_papers(nhia: tuple[str, pa.Table], bundle: str, low: float, high: float):
    (answer,) = ask(nhia[0], "from accuracy where unit = 'patient'", nhia[1], bundle=bundle, rule=UNDATED)
    assert (round(100 * answer["sensitivity_low"], 1), round(100 * answer["sensitivity_high"], 1)) == (low, high)


def test_lead_time_is_the_papers(nhia: tuple[str, pa.Table]):
    summary = {row["days"]: row for row in ask(nhia[0], "from lead_time_summary", nhia[1], bundle="a", rule=UNDATED)}
    assert (summary[2]["k"], summary[2]["n"]) == (27, 109)
    assert (round(100 * summary[2]["low"], 1), round(100 * summary[2]["high"], 1)) == (17.6, 33.6)
    assert (summary[5]["k"], summary[5]["dates_missing"]) == (4, 20)
    longest = ask(nhia[0], "from lead_time where lead_days >= 5", nhia[1], bundle="a", rule=UNDATED)
    assert {int(row["patient_pseudonym"], 16) for row in longest} == {24, 268, 279, 292}
    assert [(int(row["patient_pseudonym"], 16), row["lead_days"], row["confirmation_date"]) for row in longest[:2]] == [
        (24, 17, date(2020, 1, 31)),
        (268, 6, date(2020, 3, 20)),
    ]
    (timeline,) = ask(nhia[0], "select count(*) as n from lead_time where not dates_missing", nhia[1], bundle="a", rule=UNDATED)
    assert timeline["n"] == 89


def test_reference_from_a_file(results: Callable[[Rows], str], tmp_path: Path):
    pq.write_table(reference_of((1, "negative", 0)), tmp_path / "reference.parquet")
    connection = connect(results([instance_row(1)]), str(tmp_path / "reference.parquet"))
    assert connection.sql("select tn from accuracy where unit = 'patient'").fetchall() == [(1,)]
