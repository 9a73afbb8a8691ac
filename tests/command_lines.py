"""Command lines that stand in files, such as a timer's: read by the command that they name, which is not carried out."""

import shlex
from typing import Any

import typer.main


def read_command_line(line: str) -> dict[str, Any]:
    """Return what `screening …` or `ray …` makes of its arguments, by name. Raises what its parser raises for what it does not know."""
    words = shlex.split(line)
    program = words.pop(0).rpartition("/")[2]
    command: Any = _program(program)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    return command.make_context(program, words).params


def _program(name: str) -> Any:
    if name == "screening":
        from jobs.cli import make_app

        return typer.main.get_command(make_app())
    from ray.scripts.scripts import cli

    assert name == "ray", f"{name} is no program whose command lines can be read"
    return cli
