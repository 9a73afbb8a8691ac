"""`screening open-url`: the names of objects that a run has encrypted, for who holds the key."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.console import run_command


def command(
    urls: Annotated[list[str] | None, typer.Argument(help="values of object_url; without any, lines of a pipe are read")] = None,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="file with the key of the run  [default: SCREENING_PSEUDONYM_KEY_FILE, or that of `screening run`]")
    ] = None,
) -> None:
    """Print the URLs behind encrypted ones (sealed://…), one a line; what is not encrypted stays as it is.

    Lines of a pipe are read where no URL is given, e.g. the answer of `screening sql`.

    Example:

        screening open-url sealed://mfrggzdfmztwq2lk --pseudonym-key pseudonym.key
    """
    from jobs.keys import existing_key
    from screening.errors import UsageError
    from screening.privacy import KEY_FILE_VARIABLE, UrlSeal

    key = existing_key(pseudonym_key)
    if key is None:
        raise UsageError(f"no pseudonym key: name the file of the run with --pseudonym-key or in {KEY_FILE_VARIABLE}")
    seal = UrlSeal(key)
    for url in urls or (line.strip().strip('"') for line in sys.stdin):
        typer.echo(seal.open(url))


if __name__ == "__main__":
    run_command(command)
