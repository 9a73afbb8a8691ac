"""cases: results made elsewhere through the same views."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from screening.analytics.cases import load_cases, map_columns
from screening.analytics.foreign_tables import TextFormat
from screening.analytics.linking import LinkRule
from screening.analytics.views import connect_cases
from screening.errors import ReferenceTableError, UsageError
from tests.paper_data import nhia_path


def write(folder: Path, text: str, name: str = "product") -> str:
    """Write a file of cases and return its path."""
    path = folder / f"{name}.csv"
    path.write_text(text)
    return str(path)


def rows_of(path: str, query: str, threshold: float | None = None, **columns: str) -> list[tuple]:
    """Return the rows of a query over one file of cases."""
    return connect_cases([load_cases(path, columns)], threshold=threshold).sql(query).fetchall()


def test_the_papers_cases_need_no_mapping():
    mapping = load_cases(nhia_path()).mapping
    assert mapping == {
        "case_id": "case_id",
        "label": "label",
        "covid_positive": "stage3_positive",
        "radiograph_date": "cxr_date",
        "symptom_onset_date": "symptom_onset_date",
        "result_date": "rt_pcr_confirmed_date",
    }


def test_the_papers_figures_from_its_cases():
    connection = connect_cases([load_cases(nhia_path())])
    cells = "select tp, fp, fn, tn, indeterminate + unverified + not_scored from accuracy where unit = 'patient'"
    assert connection.sql(cells).fetchall() == [(45 + 45, 120 + 121, 9 + 10, 494 + 498, 0)]
    assert connection.sql("select days, k, n, dates_missing from lead_time_summary").fetchall() == [
        (1, 38, 109, 20),
        (2, 27, 109, 20),
        (5, 4, 109, 20),
    ]
    longest = connection.sql("select patient_pseudonym, lead_days from lead_time where lead_days >= 5").fetchall()
    assert longest[:2] == [("24", 17), ("268", 6)]
    assert {case for case, _ in longest} == {"24", "268", "279", "292"}


def test_cells_are_read_by_hand(tmp_path: Path):
    path = write(
        tmp_path,
        "\ufeffPatient ID,Truth,Score,Sex,Age,Site,CXR date,PCR date\n"
        "007,Positive,71.5,male,61y,North,2020-03-01,2020/3/4\n"
        "008,NEG,30,F,44,South,03/13/2020,109/03/20\n"
        "009,,55,u,NA,,03/04/2020,\n"
        "010,inconclusive,,,,,,\n",
    )
    columns = "case_id, result, covid_score, covid_positive, radiograph_date, result_date, PatientSex, age_years, InstitutionName"
    assert rows_of(path, f"select {columns} from case_rows order by case_row", threshold=55) == [
        ("007", "positive", 71.5, True, date(2020, 3, 1), date(2020, 3, 4), "M", 61.0, "North"),
        ("008", "negative", 30.0, False, date(2020, 3, 13), date(2020, 3, 20), "F", 44.0, "South"),
        ("009", None, 55.0, True, date(2020, 3, 4), None, None, None, None),  # its column has a 13th day in second place
        ("010", "indeterminate", None, None, None, None, None, None, None),
    ]
    assert rows_of(path, "select outcome, count(*) from instances group by outcome order by outcome", threshold=55) == [
        ("failed", 1),
        ("scored", 3),
    ]
    cells = "select tp, fp, fn, tn, indeterminate, unverified, not_scored from accuracy where unit = 'patient'"
    assert rows_of(path, cells, threshold=55) == [(1, 0, 0, 1, 0, 1, 1)]
    assert rows_of(path, "select name, objects from bundles") == [("product", 4)]


def test_two_files_side_by_side(tmp_path: Path):
    one, two = write(tmp_path, "id,truth,call\n1,1,1\n2,0,0\n", "one"), write(tmp_path, "id,truth,call\n1,1,0\n2,0,0\n", "two")
    connection = connect_cases([load_cases(one), load_cases(two)])
    found = connection.sql("select name, tp, fn, tn from accuracy join bundles using (bundle_digest) where unit = 'patient' order by name")
    assert found.fetchall() == [("one", 1, 0, 1), ("two", 0, 1, 1)]
    assert connection.sql("select count(*) from reference").fetchall() == [(4,)], "each file has its own labels"
    with pytest.raises(UsageError, match="given twice"):
        connect_cases([load_cases(one), load_cases(one)])


def test_labels_belong_to_their_file(tmp_path: Path):
    """The same ids with opposite labels: beside each other the files say what they say alone."""
    rows = {"1": "1", "2": "1", "3": "0", "4": "0"}
    one = write(tmp_path, "id,truth,call\n" + "".join(f"{case},{label},{label}\n" for case, label in rows.items()), "one")
    two = write(tmp_path, "id,truth,call\n" + "".join(f"{case},{1 - int(label)},{1 - int(label)}\n" for case, label in rows.items()), "two")
    cells = "select tp, fp, fn, tn from accuracy where unit = 'patient'"
    assert [rows_of(path, cells) for path in (one, two)] == [[(2, 0, 0, 2)]] * 2
    connection = connect_cases([load_cases(one), load_cases(two)])
    assert connection.sql(cells).fetchall() == [(2, 0, 0, 2)] * 2
    assert connection.sql("from paired_accuracy").fetchall() == [], "no person of whom both files say the same"
    assert connection.sql("select count(*) from lead_time").fetchall() == [(4,)]


def test_a_file_without_labels_takes_those_of_the_one_that_has_them(tmp_path: Path):
    one = write(tmp_path, "id,truth,call\n1,1,1\n2,0,0\n3,1,1\n", "one")
    two = write(tmp_path, "id,call\n2,1\n1,1\n4,1\n", "two")
    connection = connect_cases([load_cases(one), load_cases(two)])
    cells = "select tp, fp, fn, tn, unverified from accuracy join bundles using (bundle_digest) where unit = 'patient' order by name"
    assert connection.sql(cells).fetchall() == [(2, 0, 0, 1, 0), (1, 1, 0, 0, 1)]
    assert connection.sql("select truth, n from paired_accuracy where unit = 'patient' order by truth").fetchall() == [
        ("negative", 1),
        ("positive", 1),
    ]
    three = write(tmp_path, "id,truth,call\n1,0,1\n", "three")
    with pytest.raises(UsageError, match=r"several files of cases have labels and one has none"):
        connect_cases([load_cases(path) for path in (one, two, three)])


def test_a_label_without_dates_counts_for_its_own_row(tmp_path: Path):
    path = write(tmp_path, "id,truth,call,cxr_date,pcr_date\n1,1,1,,\n1,0,0,,2020-03-02\n2,1,1,2020-03-01,2020-06-01\n")
    links = "select case_row, links.result from links join case_rows using (object_id) order by case_row"
    assert rows_of(path, links) == [(1, "positive"), (2, "negative")]
    ((rule,),) = rows_of(path, "select rule from link_rule")
    assert "does not count, but the label of a row of cases always counts for the radiograph of that row." in rule


@pytest.mark.parametrize(("words", "read"), [(("+", "-", ""), (True, False, None)), (("1", "-", "0"), (True, None, False))])
def test_a_dash_is_negative_only_beside_a_plus(tmp_path: Path, words: tuple[str, ...], read: tuple[bool | None, ...]):
    for column, ours in {"label": "result", "call": "covid_positive", "stage2_positive": "pneumonia_positive"}.items():
        cells = "".join(f"{row},{word},0.4\n" for row, word in enumerate(words, 1))
        path = write(tmp_path, f"id,{column},score\n{cells}")
        results = {True: "positive", False: "negative", None: None} if ours == "result" else {True: True, False: False, None: None}
        assert rows_of(path, f"select {ours} from case_rows order by case_row") == [(results[value],) for value in read]
    refused = write(tmp_path, "id,truth,call\n1,1,1\n2,0,-\n")
    assert rows_of(refused, "select outcome, detail from instances where outcome = 'failed'") == [
        ("failed", "the row has neither a call nor a score")
    ]


def test_a_mapping_goes_before_the_synonyms():
    found = ["id", "score", "ai", "result"]
    assert map_columns(found, {"covid_score": "ai"}, "t")["covid_score"] == "ai"
    assert map_columns(["case_id", "id", "score"], {}, "t")["case_id"] == "case_id", "our own name goes before a synonym"


@pytest.mark.parametrize(
    ("found", "columns", "message"),
    [
        (["id", "call", "predicted"], {}, r"call, predicted could each be covid_positive\. Say which with --column covid_positive=call"),
        (["id", "truth"], {}, "neither a call nor a score.*--column covid_positive=COLUMN"),
        (["id", "score"], {"covid": "score"}, "ours are case_id, label"),
        (["id", "score"], {"covid_score": "points"}, "no column points, but id, score"),
    ],
)
def test_columns_that_are_not_clear(found: list[str], columns: dict[str, str], message: str):
    with pytest.raises(UsageError, match=message):
        map_columns(found, columns, "t.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,truth,call\n1,1,1\n2,SMITH,1\n", "truth in 1 rows, first in row 2"),
        ("id,truth,score\n1,1,SMITH\n", "score in 1 rows, first in row 1"),
        ("id,call,cxr_date\n1,1,SMITH\n", "cxr_date in 1 rows, first in row 1"),
        ("id,call,cxr_date\n1,1,03/04/2020\n", "cxr_date in 1 rows.*YYYY-MM-DD"),  # day or month first: nothing in the column tells
        ("id,call\n1,1,1\n", "row 1 has 3 cells for 2 columns"),
        ("id,call,cxr_date\n1,1,20-03-04\n", "cxr_date in 1 rows.*YYYY-MM-DD"),
        (
            "id,truth,call,pcr date\n1,1,1,2020-03-01\n2,1,1,2999-03-01\n",
            "cannot be true: pcr date in the future in 1 rows, first in row 2. Mend",
        ),
        ("id,truth,call,cxr_date\n1,1,1,2999-03-01\n", "cxr_date in the future in 1 rows, first in row 1"),
        ("id,truth,call,onset\n1,1,1,1920-03-01\n", "onset before COVID-19 in 1 rows"),
        ("id,truth,call,swab date,pcr date\n1,1,1,2020-03-05,2020-03-04\n", "result before specimen in 1 rows, first in row 1"),
    ],
)
def test_cells_that_mean_nothing_are_named_without_their_value(tmp_path: Path, text: str, message: str):
    with pytest.raises(ReferenceTableError, match=message) as error:
        rows_of(write(tmp_path, text), "from accuracy")
    assert "SMITH" not in str(error.value)


def test_a_radiograph_from_before_the_epidemic_is_a_control(tmp_path: Path):
    assert rows_of(write(tmp_path, "id,truth,call,cxr_date\n1,0,0,2018-03-01\n"), "select count(*) from case_instances") == [(1,)]


def test_files_of_other_makes(tmp_path: Path):
    query = "select case_id, result, radiograph_date from case_rows"
    expected = [("7", "positive", date(2020, 3, 15))]
    text = "id;truth;call;cxr date\n7;陽性;1;民國109年3月15日\n"
    for name, data in {"utf16": text.encode("utf-16"), "mac": text.replace("\n", "\r").encode(), "big5": text.encode("big5")}.items():
        (tmp_path / f"{name}.csv").write_bytes(data)
        form = TextFormat("big5" if name == "big5" else None, ";")
        assert connect_cases([load_cases(str(tmp_path / f"{name}.csv"), form=form)]).sql(query).fetchall() == expected
    table = pa.table({"id": [7.0], "truth": [1], "call": [True], "cxr date": pa.array([43905.0])})
    pq.write_table(table, tmp_path / "cases.parquet")
    assert rows_of(str(tmp_path / "cases.parquet"), query) == expected


def test_labels_and_a_reference_table_are_one_too_many(tmp_path: Path):
    path, reference = write(tmp_path, "id,truth,call\n1,1,1\n"), tmp_path / "reference.csv"
    reference.write_text("patient_pseudonym,symptom_onset_date,specimen_date,result_date,result,reading\n1,,,,positive,\n")
    with pytest.raises(UsageError, match="labels of their own"):
        connect_cases([load_cases(path)], str(reference))
    bare = write(tmp_path, "id,call\n1,1\n", "bare")
    for undated in (False, True):  # the table has no dates, and none of its rows is a row of the file
        connection = connect_cases([load_cases(bare)], str(reference), rule=LinkRule(link_undated=undated))
        assert connection.sql("select tp, unverified from accuracy where unit = 'patient'").fetchall() == [(undated, not undated)]
