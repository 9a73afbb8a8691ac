"""What every command shares: one way to print for people and for programs, and the exit codes."""

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from screening.errors import ScreeningError, UsageError

EXIT_OK = 0  # all rows accounted for
EXIT_FAILED = 1  # the run failed
EXIT_USAGE = 2  # wrong usage

LOG_WIDTH = 160  # columns where nobody's terminal says how many there are

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else LOG_WIDTH)  # answers
err = Console(stderr=True, highlight=False, emoji=False, width=None if sys.stderr.isatty() else LOG_WIDTH)  # progress and messages


def print_json(value: Any) -> None:
    """Print `value` as JSON on stdout, dates as ISO 8601."""
    print(json.dumps(value, indent=2, default=str))


def answer_apart(for_program: bool) -> contextlib.AbstractContextManager[object]:
    """Where a program reads the answer, send what others print meanwhile to stderr: Ray warns on stdout."""
    return contextlib.redirect_stdout(sys.stderr) if for_program else contextlib.nullcontext()


def run(app: typer.Typer) -> None:
    """Run `app` and turn our errors into one line on stderr and an exit code."""
    try:
        app()
    except UsageError as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(EXIT_USAGE)
    except ScreeningError as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(EXIT_FAILED)


def run_command(command: Callable[..., None]) -> None:
    """Run one command as a program of its own: `python -m jobs.<module>`."""
    app = typer.Typer(add_completion=False)
    app.command()(command)
    run(app)
