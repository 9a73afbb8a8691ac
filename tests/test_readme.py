"""The README is true: its tables and file tree are what the code says, and its commands exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer.testing

from jobs.cli import COMMANDS, make_app
from jobs.update_readme import README, updated

TEXT = README.read_text()


def console_lines() -> list[str]:
    """Return every command line of the README's console blocks, without its comment."""
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line[2:].split("  #")[0].strip() for line in lines if line.startswith("$ ")]


def test_tables_and_file_tree_are_up_to_date() -> None:
    assert updated(TEXT) == TEXT, "run `make readme`"


def test_there_are_commands_to_check() -> None:
    assert len(console_lines()) >= 5


@pytest.mark.parametrize("line", console_lines())
def test_command_lines_are_accepted(line: str) -> None:
    program, *arguments = shlex.split(line)
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", Path(README.parent / "Makefile").read_text(), re.MULTILINE)
        return
    if program == "ray":
        assert (README.parent / arguments[1]).exists()
        return
    assert program == "screening"
    name, *options = arguments
    command = typer.main.get_command(make_app()).commands[name]
    command.make_context(name, options, resilient_parsing=False)


@pytest.mark.parametrize("name", [*COMMANDS, "bundle verify", "bundle show", "bundle pack", "bundle card"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = typer.testing.CliRunner().invoke(make_app(), [*name.split(), "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"screening {name}" in result.output


def test_files_named_in_the_readme_exist() -> None:
    for name in re.findall(r"`([\w/.]+\.(?:yaml|toml|lock))`", TEXT):
        assert (README.parent / name).exists(), name
