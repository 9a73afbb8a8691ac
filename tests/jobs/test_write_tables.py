"""`screening tables`: every answer as files that pandas, polars and a spreadsheet open, and no person in them."""

import io
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pyarrow.parquet as pq
import pytest

from screening.analytics.tables import WITHOUT_REFERENCE
from tests.programs import screening
from tests.screening.instance_rows import write_instances
from tests.screening.report.screened import reference_of_people, rows_of_people


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A results folder, and a reference table of its people."""
    folder = tmp_path_factory.mktemp("tables")
    write_instances(str(folder / "r"), rows_of_people())
    pq.write_table(reference_of_people(), folder / "reference.parquet")
    return str(folder / "r"), str(folder / "reference.parquet")


def test_the_tables_are_the_answers(results: tuple[str, str], tmp_path: Path) -> None:
    folder, reference = results
    told = json.loads(screening("tables", folder, "--reference", reference, "--output", str(tmp_path), "--json").stdout)
    tables = {file.stem: pl.read_csv(file, infer_schema_length=None) for file in tmp_path.glob("*.csv")}
    assert told["tables"] == {name: len(table) for name, table in tables.items()}
    named = ("about", "flow", "monitor", "accuracy", "verification", "auroc", "subgroups", "thresholds", "lead_time_summary")
    assert tables.keys() >= set(named)
    answer = json.loads(screening("accuracy", folder, "--reference", reference, "--json").stdout)
    for name in ("sensitivity", "specificity_low", "tp", "unverified"):
        assert tables["accuracy"][name].to_list() == [pytest.approx(row[name]) for row in answer["accuracy"]]
    assert "A test counts for a radiograph" in tables["about"]["said"][0]
    people = {row["patient_pseudonym"] for row in rows_of_people()}
    written = "".join(file.read_text() for file in tmp_path.iterdir())
    assert people
    assert not [person for person in people if person in written]


def test_without_a_reference_table_there_are_the_flow_and_the_nights(results: tuple[str, str], tmp_path: Path) -> None:
    screening("tables", results[0], "--output", str(tmp_path), "--format", "parquet")
    assert {file.stem for file in tmp_path.iterdir()} <= {"about", *WITHOUT_REFERENCE}
    assert pl.read_parquet(tmp_path / "flow.parquet")["images"].sum() > 0


def test_a_workbook_has_a_sheet_for_each(results: tuple[str, str], tmp_path: Path) -> None:
    folder, reference = results
    screening("tables", folder, "--reference", reference, "--output", str(tmp_path), "--format", "xlsx")
    [file] = tmp_path.iterdir()
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as book:
        elements = ElementTree.fromstring(book.read("xl/workbook.xml")).iter()
        sheets = [element.attrib["name"] for element in elements if element.tag.endswith("}sheet")]
        strings = book.read("xl/sharedStrings.xml").decode()
    assert {"about", "accuracy", "subgroups", "flow"} <= set(sheets)
    assert "sensitivity_low" in strings
