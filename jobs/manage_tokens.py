"""`screening token`: who may call a server."""

from typing import Annotated

import typer

from jobs.console import err, out, print_json
from schemas.scope import Scope

app = typer.Typer(help="Make, revoke and list the tokens of those who may call `screening serve`.", no_args_is_help=True)

TokensFile = Annotated[str, typer.Option("--tokens", help="file of tokens, a path or any fsspec URL; holds hashes only")]


@app.command("create")
def create_command(
    name: Annotated[str, typer.Argument(help="who it is for: a person or a program; stands in the access log")],
    tokens: TokensFile,
    scope: Annotated[list[Scope], typer.Option(help="what it allows: score, read, review or admin; may be repeated")],
) -> None:
    """Print a new token, once: the file keeps its hash.

    Example:

        screening token create clinic-7 --scope score --tokens tokens.json
    """
    from serve.tokens import create

    secret = create(tokens, name, tuple(scope))
    err.print(f"the token of {name}; it cannot be shown again:", markup=False)
    print(secret)


@app.command("revoke")
def revoke_command(name: Annotated[str, typer.Argument(help="whose token")], tokens: TokensFile) -> None:
    """Take a token out of force; running servers refuse it within seconds.

    Example:

        screening token revoke clinic-7 --tokens tokens.json
    """
    from serve.tokens import revoke

    revoke(tokens, name)
    err.print(f"revoked the token of {name}", markup=False)


@app.command("list")
def list_command(tokens: TokensFile, json: Annotated[bool, typer.Option("--json", help="print the tokens as JSON")] = False) -> None:
    """List who has a token, what it allows, and since when it is out of force.

    Example:

        screening token list --tokens tokens.json
    """
    from serve.tokens import load

    known = load(tokens)
    if json:
        print_json([token.model_dump(mode="json", exclude={"sha256"}) for token in known])
        return
    for token in known:
        state = f"revoked {token.revoked:%Y-%m-%d}" if token.revoked else "in force"
        out.print(f"{token.name}: {', '.join(token.scopes)}; since {token.created:%Y-%m-%d}, {state}", markup=False)
