import pytest

from jobs.console import answer_apart, print_json


@pytest.mark.parametrize(("for_program", "there"), [(True, '{\n  "n": 1\n}\n'), (False, 'a warning\n{\n  "n": 1\n}\n')])
def test_only_the_answer_goes_where_a_program_reads_it(for_program: bool, there: str, capsys: pytest.CaptureFixture[str]) -> None:
    with answer_apart(for_program):
        print("a warning")
    print_json({"n": 1})
    assert capsys.readouterr().out == there
