"""The prompt of `screening sql`: statements over several lines, and a few commands that begin with a dot."""

import contextlib
import sys
from collections.abc import Callable

import duckdb
import pyarrow as pa

from jobs.console import err, out
from screening.analytics.confined_sql import LEFT_OUT, check_statements, tokens_of
from screening.analytics.views import describe, list_views
from screening.errors import ScreeningError, UsageError
from screening.results.check import damage_named

HELP = """\
A statement ends with ; and may take several lines. Commands:
  .views          the views and their grain
  .columns VIEW   the columns of a view and what they mean
  .help           this text
  .quit           leave, as Ctrl-D does; Ctrl-C drops the statement"""


class Prompt:
    """Reads statements from stdin and shows each answer with `show`. An error is printed and does not end it.

    The connection is a confined one, and `export` the folder that it may write below: see `screening.analytics.confined_sql`.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, show: Callable[[pa.Table], None], results_url: str, export: str | None = None
    ):
        self._connection = connection
        self._show = show
        self._results_url = results_url
        self._export = export
        self._pending = ""

    def run(self, interactive: bool) -> bool:
        """Read until .quit or the end of the input; return whether every statement worked, always True for a person at a terminal."""
        worked = True
        if interactive:
            self._prepare_terminal()
            out.print("Statements end with ; and .help lists the commands.", markup=False)
        while (line := self._read(interactive)) is not None:
            if not self._pending and line.strip().startswith("."):
                if line.strip() in (".quit", ".exit"):
                    break
                worked &= self._try(self._command, line.strip())
                continue
            self._pending += line + "\n"
            if is_complete(self._pending):
                statement, self._pending = self._pending, ""
                worked &= self._try(self._execute, statement)
        if self._pending.strip():  # a pipe need not end with ;
            worked &= self._try(self._execute, self._pending)
        return worked or interactive

    def _read(self, interactive: bool) -> str | None:
        """Return the next line, None at the end of the input."""
        if not interactive:
            line = sys.stdin.readline()
            return line.rstrip("\n") if line else None
        while True:
            try:
                return input("     ...> " if self._pending else "screening> ")
            except EOFError:
                self._pending = ""
                print()
                return None
            except KeyboardInterrupt:
                self._pending = ""
                print()

    def _prepare_terminal(self) -> None:
        with contextlib.suppress(ImportError):
            import readline  # gives input() a history and line editing

            words = [*list_views(), ".views", ".columns", ".help", ".quit"]
            readline.set_completer(lambda text, state: [*(word for word in words if word.startswith(text)), None][state])
            readline.set_completer_delims(" \t\n,()=;")
            readline.parse_and_bind("tab: complete")

    def _try(self, action: Callable[[str], None], argument: str) -> bool:
        try:
            action(argument)
        except (duckdb.Error, ScreeningError) as error:
            hint = f". {LEFT_OUT}" if isinstance(error, duckdb.PermissionException) else ""
            err.print(f"error: {error}{hint}", style="red", markup=False, soft_wrap=True)
            return False
        except KeyboardInterrupt:
            err.print("interrupted")
            return False
        return True

    def _execute(self, statement: str) -> None:
        check_statements(statement, self._export)
        with damage_named(self._results_url):
            relation = self._connection.sql(statement)
            answer = None if relation is None else relation.to_arrow_table()
        if answer is not None:
            self._show(answer)

    def _command(self, line: str) -> None:
        name, *arguments = line.rstrip(";").split()
        if name == ".help":
            out.print(HELP, markup=False)
        elif name == ".views":
            self._print([(view, grain) for view, grain in list_views().items()])
        elif name == ".columns" and len(arguments) == 1:
            self._print([(column.name, column.type, column.meaning) for column in describe(self._connection, arguments[0])])
        else:
            raise UsageError(f"{line} is no command: .help lists them")

    def _print(self, rows: list[tuple[str, ...]]) -> None:
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        out.print(table, markup=False)


def is_complete(text: str) -> bool:
    """Return whether a statement ends in a `;` that stands in no string, name or comment; blank text is complete too."""
    tokens = [token for token, _ in tokens_of(text)]
    if any(token.startswith("/*") and not token.endswith("*/") for token in tokens):
        return False
    spoken = [token for token in tokens if not token.startswith(("--", "/*"))]
    return not spoken or spoken[-1] == ";"
