"""SQL that somebody wrote, confined: it reads the views over results and makes tables in memory, and may write below one folder at most.

DuckDB alone does not suffice. A file that it may read it may also overwrite (`copy … to PART (use_tmp_file false)`), so whoever may ask
could change a committed part. Therefore statements are looked at before they run, by their kind, and `COPY` by its target.
"""

import os
from collections.abc import Iterator
from itertools import pairwise

import duckdb

from screening.errors import check_usage
from screening.storage import filesystem_of, is_local

_KINDS = (
    *("SELECT", "EXPLAIN", "MULTI", "CREATE", "CREATE_FUNC", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "MERGE_INTO"),
    *("SET", "VARIABLE_SET", "TRANSACTION", "ANALYZE", "RELATION"),
)
_REMEDY = "ask the views, and write answers with --output FILE, or with COPY … TO below the folder of --export FOLDER"
LEFT_OUT = f"Queries open the parts of the results alone: {_REMEDY}"  # of a duckdb.PermissionException


def confine(connection: duckdb.DuckDBPyConnection, export: str | None = None) -> None:
    """Take from a connection of `screening.analytics.views` the right to open any file but the parts of the results.

    export: a folder, as `export_folder` gives it, below which files may be written and read. From then on no setting can be changed, no
    database attached, no extension loaded and no network used. Statements that somebody wrote go through `check_statements` besides.
    """
    ((files,),) = connection.execute("select getvariable('instance_files')").fetchall()
    connection.execute("set allowed_paths = $paths", {"paths": files or []})
    connection.execute("set allowed_directories = $folders", {"folders": [export] if export else []})
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def export_folder(folder: str, results_url: str) -> str:
    """Return the path of a folder that exports may be written below; it is made where it is missing.

    Raises UsageError for a folder of another store than this machine's disk, and for one in, or around, the results.
    """
    filesystem, path = filesystem_of(folder)
    check_usage(is_local(filesystem), f"--export {folder}: name a folder of this machine; --output writes one answer to any store")
    path = os.path.realpath(path)
    store, root = filesystem_of(results_url)
    if is_local(store):
        root = os.path.realpath(root)
        apart = not (_below(path, root) or _below(root, path))
        check_usage(apart, f"--export {folder}: name a folder apart from the results, whose files no query may change")
    os.makedirs(path, exist_ok=True)
    return path


def check_statements(sql: str, export: str | None = None) -> None:
    """Raise UsageError for a statement that does more than ask, make tables in memory, and copy to a file below `export`.

    SQL that cannot be parsed raises duckdb.ParserException.
    """
    for statement in duckdb.extract_statements(sql):
        tokens = list(tokens_of(statement.query))
        if statement.type == duckdb.StatementType.COPY:
            _check_copy(tokens, export)
            continue
        kind = statement.type.name
        check_usage(kind in _KINDS, f"{kind.replace('_', ' ')} is no statement for results: {_REMEDY}")
        copies = any(type == duckdb.token_type.keyword and text.lower() == "copy" for text, type in tokens)
        check_usage(not copies, f"COPY stands alone, in no other statement: {_REMEDY}")


def _check_copy(tokens: list[tuple[str, duckdb.token_type]], export: str | None) -> None:
    """Raise UsageError unless a COPY writes to a file, named by a plain string, below `export`."""
    check_usage(export is not None, "COPY writes files: give --export FOLDER, the folder that it may write below")
    place = _place_of_target(tokens)
    refusal = f"COPY … TO writes below --export {export}: name the file there as a plain string, 'FOLDER/name.csv'"
    check_usage(place is not None, refusal)
    assert place is not None
    assert export is not None
    target, *options = [text for text, type in tokens[place:] if type == duckdb.token_type.string_const]
    path = os.path.realpath(target[1:-1].replace("''", "'"))
    check_usage(_below(path, export) and not any(".." in option for option in options), refusal)


def _place_of_target(tokens: list[tuple[str, duckdb.token_type]]) -> int | None:
    """Return where in a COPY the name of the file stands that it writes to, None where that is not plain."""
    depth, found = 0, None
    for place, ((text, type), (following, following_type)) in enumerate(pairwise(tokens)):
        if type == duckdb.token_type.operator:
            depth += text.count("(") - text.count(")")
        elif depth == 0 and type == duckdb.token_type.keyword and text.lower() == "to":
            plain = following_type == duckdb.token_type.string_const and following.startswith("'")
            found = place + 1 if plain else None
    return found


def tokens_of(statement: str) -> Iterator[tuple[str, duckdb.token_type]]:
    """Yield the text and the kind of each token of a statement."""
    places = [*duckdb.tokenize(statement), (None, None)]
    data = statement.encode()  # places are counted in bytes
    for (start, type), (end, _) in pairwise(places):
        yield data[start:end].decode().strip(), type


def _below(path: str, folder: str) -> bool:
    """Return whether a path is a folder or lies below it; both are absolute and without links."""
    return os.path.commonpath([path, folder]) == folder
