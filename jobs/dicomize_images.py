"""Wrap PNG and JPEG radiographs into DICOM files."""

from typing import Annotated

import typer

from jobs.console import err, out, print_json, run_command


def command(
    labels: Annotated[
        str,
        typer.Argument(
            help="table with the columns image_id, image, patient_id and, where known, source, view, sex, age", metavar="LABELS.csv"
        ),
    ],
    output: Annotated[str, typer.Argument(help="folder or fsspec URL to write into", metavar="OUT")],
    transfer_syntax: Annotated[
        str | None, typer.Option(help="code all images so, e.g. jpeg_2000_lossless; default: JPEG files keep their stream")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first rows of the table")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print what was written as JSON")] = False,
) -> None:
    """Wrap existing PNG and JPEG radiographs into DICOM: OUT/archive, and OUT/labels.csv that joins each row with its object.

    Dates are made up, for public collections have none. A row whose image is missing or unreadable is named, the others are
    written, and the exit code is 1. Paths in the table are relative to it; absolute paths and URLs are taken as they are.

    Example:

        screening dicomize radiographs/labels.csv out/real
    """
    from dataclasses import asdict

    from jobs.display import Steps
    from screening.dicom.wrap import dicomize

    with Steps(err) as steps:
        summary = dicomize(labels, output, transfer_syntax=transfer_syntax, limit=limit, on_progress=steps.show)
    if as_json:
        print_json(asdict(summary))
        return
    kept = f", {summary.kept_streams} with the JPEG stream they came with" if summary.kept_streams else ""
    out.print(f"{summary.written} images{kept}", markup=False, soft_wrap=True)
    for name, url in (("archive", summary.archive_url), ("labels", summary.labels_url)):
        out.print(f"  {name:9}{url}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(command)
