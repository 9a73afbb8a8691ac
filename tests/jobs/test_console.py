"""What all commands share: answers for programs stand alone, and an error of ours is one line and an exit code."""

from pathlib import Path

import pytest

from jobs.console import answer_apart, print_json
from tests.programs import screening
from tests.screening.instance_rows import instance_row, write_instances


@pytest.mark.parametrize(("for_program", "there"), [(True, '{\n  "n": 1\n}\n'), (False, 'a warning\n{\n  "n": 1\n}\n')])
def test_only_the_answer_goes_where_a_program_reads_it(for_program: bool, there: str, capsys: pytest.CaptureFixture[str]) -> None:
    with answer_apart(for_program):
        print("a warning")
    print_json({"n": 1})
    assert capsys.readouterr().out == there


def test_an_error_is_one_line_however_long_the_name_of_the_file(tmp_path: Path) -> None:
    results = tmp_path / ("a long name of a folder, " * 5) / ("another one, " * 5)
    write_instances(str(results), [instance_row(1)])
    [part] = results.rglob("*.parquet")
    part.write_bytes(b"")
    said = screening("sql", str(results), "from instances", expected=1).stderr
    assert f"error: file://{part}: damaged, cut or no Parquet file; move it away, and the next `screening run`" in said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: ")
