"""`screening sql`: one query, a pipe, a terminal, and what goes wrong."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from jobs.query_results import command
from jobs.sql_prompt import is_complete
from schemas.reference import REFERENCE_SCHEMA
from screening.errors import ResultsError, UsageError
from tests.screening.instance_rows import instance_row, pneumonia_row, write_instances

ROOT = Path(__file__).resolve().parents[2]

app = typer.Typer(add_completion=False)
app.command()(command)


def ask(*arguments: str, stdin: str | None = None) -> Result:
    """Return what the command answered."""
    return CliRunner().invoke(app, list(arguments), input=stdin)


@pytest.fixture
def results(tmp_path: Path) -> str:
    """Three instances, one of them positive."""
    write_instances(str(tmp_path / "results"), [instance_row(1), pneumonia_row(2), pneumonia_row(3, covid=True)])
    return str(tmp_path / "results")


@pytest.fixture
def reference(tmp_path: Path) -> str:
    """A reference table with a positive test of person 3."""
    path = tmp_path / "reference.csv"
    path.write_text(f"{','.join(REFERENCE_SCHEMA.names)}\n{3:032x},,2020-03-02,2020-03-04,positive,\n")
    return str(path)


FORMATS = ("table", "csv", "json", "parquet")
QUERY = "select object_id, screen_date, covid_score, covid_positive from instances order by object_id"


def test_formats(results: str, tmp_path: Path):
    rows = json.loads(ask(results, QUERY, "--format", "json").stdout)
    assert rows[0] == {"object_id": f"{1:032x}", "screen_date": "2020-03-01", "covid_score": None, "covid_positive": False}
    lines = list(csv.DictReader(io.StringIO(ask(results, QUERY, "--format", "csv").stdout)))
    assert [line["covid_positive"] for line in lines] == ["false", "false", "true"]
    query = "select 1.25 as number, null as nothing, '[red]x' as text, 'A:x:B' as short"
    assert ask(results, query).stdout.split() == ["number", "nothing", "text", "short", "1.25", "null", "[red]x", "A:x:B"]
    assert ask(results, query, "--output", str(tmp_path / "table.txt")).exit_code == 0
    assert "A:x:B" in (tmp_path / "table.txt").read_text()
    for name in FORMATS:
        path = tmp_path / f"answer.{name}"
        assert ask(results, QUERY, "--format", name, "--output", str(path)).exit_code == 0
        assert path.stat().st_size > 50
    assert pq.read_table(tmp_path / "answer.parquet").num_rows == 3
    assert json.loads((tmp_path / "answer.json").read_text()) == rows


def test_reference_and_window(results: str, reference: str):
    query = "select tp, unverified from accuracy where unit = 'patient'"
    answer = ask(results, query, "--reference", reference, "--format", "json")
    assert json.loads(answer.stdout) == [{"tp": 1, "unverified": 2}]
    answer = ask(results, query, "--reference", reference, "--format", "json", "--window-after", "0")
    assert json.loads(answer.stdout) == [{"tp": 0, "unverified": 3}]
    without = ask(results, query)
    assert isinstance(without.exception, UsageError)
    assert "--reference FILE" in str(without.exception)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["selekt 1"], UsageError, "syntax error"),
        (["select nonsense from flow"], UsageError, "nonsense"),
        (["from nonsense"], UsageError, "nonsense"),
        (["from read_parquet('/no/such.parquet')"], UsageError, "Queries open the parts of the results alone"),
        (["copy instances to 'all.csv'"], UsageError, "give --export FOLDER"),
        (["attach 'other.db'"], UsageError, "ATTACH is no statement for results"),
        (["from flow", "--export", "/"], UsageError, "apart from the results"),
        (["from flow", "--format", "parquet"], UsageError, "--output FILE"),
        (["--output", "x"], UsageError, "give the query too"),
        (["from flow", "--bundle", "ffff"], UsageError, "no rows of bundle ffff: there are aaaaaaaaaaaa"),
        (["from flow", "--window-before", "-1"], UsageError, "window"),
    ],
)
def test_what_goes_wrong(results: str, arguments: list[str], error: type, message: str):
    answer = ask(results, *arguments)
    assert isinstance(answer.exception, error)
    assert message in str(answer.exception)


def test_the_catalogue_of_the_views(results: str):
    said = ask(results, "--views").stdout
    assert "heatmaps: one row per heatmap image" in said
    assert "  lead_days (bigint): " in said
    assert "  select rule from link_rule" in said
    rows = json.loads(ask(results, "--views", "--format", "json").stdout)
    [age] = [row for row in rows if (row["view"], row["column"]) == ("instances", "age_years")]
    assert "from instances" in age["example"]
    assert (age["type"], age["unit"], age["grain"]) == ("float", "years", "one row per object of the index and bundle")
    assert isinstance(ask(results, "from flow", "--views").exception, UsageError)


def test_a_folder_without_results_is_not_an_empty_one(tmp_path: Path):
    answer = ask(str(tmp_path), "from flow")
    assert isinstance(answer.exception, UsageError)
    assert "no run has written here" in str(answer.exception)


def test_statements_from_a_pipe(results: str):
    script = """
    create table picked as -- not yet;
        select *
        from instances
        where covid_positive;

    from nonsense;
    .columns nonsense
    .columns heatmaps
    .views
    select count(*) as "n;" from picked
    """.replace("\n    ", "\n")
    answer = ask(results, "--format", "csv", stdin=script)
    assert answer.exit_code == 1, "two of the commands did not work"
    assert answer.stdout.endswith('"n;"\n1\n')
    assert "one row per heatmap image" in answer.stdout
    assert "fsspec URL of a 512 x 512 8-bit PNG" in answer.stdout
    assert answer.stderr.count("error: ") == 2
    assert ask(results, stdin="from flow;").exit_code == 0
    assert ask(results, stdin="").exit_code == 0
    assert ask(results, stdin=".quit\nfrom nonsense;\n").exit_code == 0
    assert "commands" in ask(results, stdin=".help\n").stdout.lower()


def test_at_a_terminal(results: str):
    controller, terminal = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "jobs.query_results", results],
        cwd=ROOT,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TERM": "dumb"},
    )
    os.close(terminal)
    os.write(controller, b"from nonsense;\nselect count(*) as n\nfrom instances;\n.quit\n")
    said, _ = program.communicate(timeout=60)
    os.close(controller)
    assert program.returncode == 0
    assert b"screening> " in said
    assert b"nonsense" in said
    assert b"n\r\n3\r\n" in said.replace(b"\n", b"\r\n").replace(b" ", b"")


def test_the_prompt_writes_below_the_named_folder_alone(results: str, tmp_path: Path):
    parts = {part: part.read_bytes() for part in Path(results).rglob("*.parquet")}
    [part] = parts
    script = f"copy (select 1) to '{part}' (use_tmp_file false); copy flow to '{tmp_path}/flow.csv'; from read_text('/etc/hostname');"
    answer = ask(results, stdin=script.replace("; ", ";\n"))
    assert answer.exit_code == 1
    assert answer.stderr.count("error: COPY writes files: give --export FOLDER") == 2
    assert answer.stderr.count("Queries open the parts of the results alone") == 1
    export = tmp_path / "export"
    answer = ask(results, "--export", str(export), stdin=f"copy flow to '{export}/flow.csv';\ncopy flow to '{part}' (use_tmp_file false);")
    assert (answer.exit_code, answer.stderr.count("error: ")) == (1, 1)
    assert (export / "flow.csv").read_text().startswith("bundle_digest,")
    assert {part: part.read_bytes() for part in Path(results).rglob("*.parquet")} == parts


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("select 1;", True),
        ("select 1", False),
        ("select ';", False),
        ("select ';';", True),
        ("select 1 -- x;", False),
        ("select 1; -- done", True),
        ("select 1; /* not;", False),
        ("/* said */", True),
        ('select ";', False),
        ("  \n", True),
        ("select '陽性;陰性", False),
        ("select '陽性';", True),
    ],
)
def test_where_a_statement_ends(text: str, complete: bool):
    assert is_complete(text) is complete


def test_the_answer_of_results_on_s3_can_be_written_there(s3_bucket: str):
    from screening.storage import read_bytes

    write_instances(f"{s3_bucket}/results", [instance_row(1)])
    ask(f"{s3_bucket}/results", "select images from flow where step = 1", "--format", "csv", "--output", f"{s3_bucket}/answer.csv")
    assert read_bytes(f"{s3_bucket}/answer.csv") == b'"images"\n1\n'


def test_damage_that_only_a_query_finds_is_named_also_at_the_prompt(results: str):
    [part] = Path(results).rglob("*.parquet")
    column = pq.ParquetFile(part).metadata.row_group(0).column(pq.read_schema(part).get_field_index("object_url"))
    data = bytearray(part.read_bytes())
    start = column.dictionary_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    part.write_bytes(data)
    assert ask(results, "select count(*) as n from instance_rows", "--format", "csv").stdout == '"n"\n3\n'
    query = "select any_value(object_url) from instance_rows"
    with pytest.raises(ResultsError, match=f"^file://{part}: damaged, cut or no Parquet file; move it away"):
        raise ask(results, query).exception
    answer = ask(results, stdin=f"{query};")
    assert answer.exit_code == 1
    assert f"error: file://{part}: damaged" in answer.stderr
