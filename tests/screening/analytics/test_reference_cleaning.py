"""reference_cleaning: a registry as registries are; every row and cell that is changed has its reason."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.views import connect, read_reference
from screening.errors import ReferenceTableError
from tests.screening.instance_rows import NIGHT, instance_row, person, pneumonia_row, write_instances

COLUMNS = ("patient_pseudonym", "symptom_onset_date", "specimen_date", "result_date", "result", "reading", "PatientSex", "death_date")
ROWS = [
    (person(1), "2020-03-01", "2020-03-02", "2020-03-03", "positive", "covid", "M", ""),
    (person(1), "2020-03-01T09:30", "2.3.2020", "109/03/03", "Pos", "COVID", "male", ""),  # says the same
    (person(2), "", "2020/03/09", "2020-03-08", "neg", "", "F", ""),  # an impossible order
    (person(3), "2999-01-01", "1900-01-01", "garbage", "negative", "grey", "X", ""),
    ("", "", "", "", "positive", "", "", ""),
    (person(4), "", "", "2020-03-04", "n/a", "", "", ""),  # pending
    (person(5), "2020-03-20", "43894", "2020-03-10", "not detected", "normal", "", "15 Mar 2020"),
    (person(6), "", "", "", "maybe", "", "", ""),
    (person(7), "03/04/2020", "13/04/2020", "04/14/2020", "陽性", "", "F", ""),
    (person(7), "", "20200301", "04/03/2020", "negative", "", "M", ""),
]
FORMAT, WORDS = "in another format", "in other words"


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The registry above over two radiographs, of a man and of a woman."""
    folder = tmp_path_factory.mktemp("cleaning")
    write_instances(str(folder / "results"), [pneumonia_row(1, covid=True, PatientSex="F"), instance_row(2, PatientSex="F")])
    (folder / "reference.csv").write_text("\n".join(",".join(row) for row in (COLUMNS, *ROWS)))
    return connect(str(folder / "results"), str(folder / "reference.csv"))


def test_what_is_used(cleaned: duckdb.DuckDBPyConnection):
    def march(day: int) -> date:
        return date(2020, 3, day)

    assert cleaned.sql("select columns(* exclude (bundle_digest, object_id)) from reference").fetchall() == [
        (person(1), march(1), march(2), march(3), "positive", "covid"),
        (person(2), None, None, None, "negative", None),
        (person(3), None, None, None, "negative", None),
        (person(5), None, march(4), march(10), "negative", "normal"),
        (person(7), None, date(2020, 4, 13), date(2020, 4, 14), "positive", None),
        (person(7), None, march(1), date(2020, 4, 3), "negative", None),
    ]
    assert cleaned.table("reference").columns == [*REFERENCE_SCHEMA.names, "bundle_digest", "object_id"]


def test_each_cell_has_its_reason(cleaned: duckdb.DuckDBPyConnection):
    found = cleaned.sql("from reference_cleaning order by row_number, column_name <> 'row', column_name").fetchall()
    assert found == [
        (1, "PatientSex", "M", "M", "differs from a radiograph"),
        (2, "row", None, "1", "repeats an earlier row"),
        (2, "PatientSex", "male", "M", WORDS),
        (2, "result", "Pos", "positive", WORDS),
        (2, "result_date", "109/03/03", "2020-03-03", FORMAT),
        (2, "specimen_date", "2.3.2020", "2020-03-02", FORMAT),
        (3, "result", "neg", "negative", WORDS),
        (3, "result_date", "2020-03-08", None, "result before specimen"),
        (3, "specimen_date", "2020/03/09", None, "result before specimen"),
        (4, "PatientSex", "X", None, "not read"),
        (4, "reading", "grey", None, "not read"),
        (4, "result_date", "garbage", None, "not read"),
        (4, "specimen_date", "1900-01-01", None, "before COVID-19"),
        (4, "symptom_onset_date", "2999-01-01", None, "in the future"),
        (5, "row", None, None, "no person"),
        (6, "row", None, None, "no result"),
        (7, "death_date", "15 Mar 2020", "2020-03-15", FORMAT),
        (7, "result", "not detected", "negative", WORDS),
        (7, "specimen_date", "43894", "2020-03-04", FORMAT),
        (7, "symptom_onset_date", "2020-03-20", None, "after death"),
        (8, "row", None, None, "no result"),
        (8, "result", "maybe", None, "not read"),
        (9, "PatientSex", "F", None, "differs from another row"),
        (9, "result", "陽性", "positive", WORDS),
        (9, "result_date", "04/14/2020", "2020-04-14", FORMAT),
        (9, "specimen_date", "13/04/2020", "2020-04-13", FORMAT),
        (9, "symptom_onset_date", "03/04/2020", None, "day or month first"),
        (10, "PatientSex", "M", None, "differs from another row"),
        (10, "result_date", "04/03/2020", "2020-04-03", FORMAT),  # its column has a 14th day in second place
        (10, "specimen_date", "20200301", "2020-03-01", FORMAT),
    ]


def test_counts_are_those_of_the_reasons(cleaned: duckdb.DuckDBPyConnection):
    counts = {(column, reason): row for column, reason, *row in cleaned.sql("from reference_reasons").fetchall()}
    assert counts["row", "no result"] == [2, 10, 6, False]
    assert counts["result", WORDS] == [4, 10, 2, True]
    assert counts["specimen_date", "result before specimen"] == [1, 10, 3, False]
    (total,) = cleaned.sql("select count(*) from reference_cleaning").fetchall()[0]
    assert sum(k for k, *_ in counts.values()) == total


def test_a_clean_table_has_no_reasons(tmp_path: Path):
    rows = [{"patient_pseudonym": person(n), "specimen_date": NIGHT + timedelta(n), "result": "positive"} for n in range(5)]
    connection = connect(str(tmp_path), pa.Table.from_pylist(rows, REFERENCE_SCHEMA))
    assert connection.sql("from reference_cleaning").fetchall() == []
    assert connection.sql("select count(*), count(specimen_date) from reference").fetchall() == [(5, 5)]


@pytest.mark.parametrize(
    ("text", "day", "reason"),
    [
        ("民國109年3月15日", date(2020, 3, 15), FORMAT),
        ("中華民國 109/03/15", date(2020, 3, 15), FORMAT),
        ("民國1090315", date(2020, 3, 15), FORMAT),
        ("１０９／０３／１５", date(2020, 3, 15), FORMAT),
        ("2020年3月15日", date(2020, 3, 15), FORMAT),
        ("民國99年3月15日", None, "before COVID-19"),  # 2010
        ("43905.0", date(2020, 3, 15), FORMAT),
        ("43905.75", date(2020, 3, 15), FORMAT),
        ("2020-03-15T23:30:00+08:00", date(2020, 3, 15), None),
        ("2020-03-15 23:30 Asia/Taipei", date(2020, 3, 15), None),
        *((text, None, "two-digit year") for text in ("15/03/20", "20-03-15", "15.3.20", "200315", "15-Mar-20", "Mar 15, 20", "99/3/15")),
        ("民國一百零九年三月", None, "not read"),
        ("12 Smith 45", None, "not read"),
    ],
)
def test_calendars_and_serial_numbers_are_read_or_refused_by_name(text: str, day: date | None, reason: str | None):
    columns = {name: [None] for name in REFERENCE_SCHEMA.names} | {"result_date": [text]}
    [read] = read_reference(pa.table(columns)).to_pylist()
    assert (read["result_date"], read["report_reason"]) == (day, reason)


def test_types_of_parquet_are_read_too(tmp_path: Path):
    table = pa.table(
        {
            "patient_pseudonym": ["a"],
            "symptom_onset_date": pa.nulls(1),
            "specimen_date": pa.array([date(2020, 3, 4)]),
            "result_date": pa.array([1090305]),
            "result": pa.array([1]),
            "reading": pa.nulls(1),
        }
    )
    pq.write_table(table, tmp_path / "reference.parquet")
    connection = connect(str(tmp_path), str(tmp_path / "reference.parquet"))
    assert connection.sql("from reference").fetchall() == [("a", None, date(2020, 3, 4), date(2020, 3, 5), "positive", None, None, None)]


@pytest.mark.parametrize(("others", "result"), [(("1", "0"), None), (("positive", ""), None), (("+", "positive"), "negative")])
def test_a_dash_is_negative_only_beside_a_plus(tmp_path: Path, others: tuple[str, str], result: str | None):
    rows = [{"patient_pseudonym": person(n), "result": word} for n, word in enumerate((*others, "-"), 1)]
    columns = {name: [row.get(name) for row in rows] for name in REFERENCE_SCHEMA.names}
    connection = connect(str(tmp_path), pa.table(columns))
    read = "select result, result_reason, left_out from reference_read where row_number = 3"
    reasons = ("in other words", None) if result else ("a dash", "no result")
    assert connection.sql(read).fetchall() == [(result, *reasons)]


def test_a_table_of_which_nothing_can_be_used_is_refused(tmp_path: Path):
    table = pa.table({column: ["Doe", "Roe"] for column in REFERENCE_SCHEMA.names})
    with pytest.raises(ReferenceTableError, match="none of its 2 rows can be used, mostly for no result, not read") as caught:
        connect(str(tmp_path), table)
    assert "Doe" not in str(caught.value)
