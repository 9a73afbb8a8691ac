"""`screening index`: what lies in an archive."""

from typing import Annotated

import typer

from jobs.console import err, out, print_json, run_command


def command(
    archive: Annotated[
        str, typer.Argument(help="folder, file or URL: /data/night, s3://bucket/prefix, dicomweb://pacs:8042/dicom-web, any fsspec URL")
    ],
    output: Annotated[str | None, typer.Option(help="write the index there as Parquet, one row per object")] = None,
    inventory: Annotated[
        str | None, typer.Option(help="S3 Inventory to read in place of a listing: its manifest.json, or the folder over its dated folders")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="stop after that many objects")] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List every object of an archive, members of zip and tar files too, and count them.

    Example: screening index s3://radiographs/2020-03 --output index.parquet
    """
    from jobs.display import Steps
    from screening.archive.index import scan, written

    kinds = {kind: {"objects": 0, "bytes": 0} for kind in ("plain", "zip", "tar")}
    tables = scan(archive, limit=limit, inventory_url=inventory)
    with Steps(err) as steps:
        for table in tables if output is None else written(tables, output):
            for url, size in zip(table["object_url"].to_pylist(), table["object_bytes"].to_pylist(), strict=True):
                count = kinds[url[:3]] if url.startswith(("zip://", "tar://")) else kinds["plain"]
                count["objects"] += 1
                count["bytes"] += size
            steps.show("listing objects", sum(count["objects"] for count in kinds.values()), 0)
    total = {key: sum(count[key] for count in kinds.values()) for key in ("objects", "bytes")}
    if json:
        print_json({"archive": archive, **total, "kinds": kinds, "output": output})
    else:
        _print_table(kinds, total)


def _print_table(kinds: dict[str, dict[str, int]], total: dict[str, int]) -> None:
    from rich.filesize import decimal
    from rich.table import Table

    table = Table("kind", "objects", "size", show_footer=True)
    table.columns[0].footer, table.columns[1].footer, table.columns[2].footer = "all", f"{total['objects']:,}", decimal(total["bytes"])
    for kind, count in kinds.items():
        table.add_row(kind, f"{count['objects']:,}", decimal(count["bytes"]))
    for column in table.columns[1:]:
        column.justify = "right"
    out.print(table)


if __name__ == "__main__":
    run_command(command)
