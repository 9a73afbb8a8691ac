"""Make an archive of synthetic radiographs with a registry of RT-PCR results."""

from typing import Annotated

import typer

from jobs.console import err, out, print_json, run_command


def command(
    output: Annotated[str, typer.Argument(help="folder or fsspec URL to write into", metavar="OUT")],
    studies: Annotated[int, typer.Option(min=1, help="number of radiographs")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes")] = 0,
    size: Annotated[int, typer.Option(min=80, help="pixels of the longer side")] = 1024,
    lung_masks: Annotated[
        bool, typer.Option("--lung-masks", help="a training set: with lung masks, evenly of the findings, nothing unwanted")
    ] = False,
    confounding: Annotated[float, typer.Option(min=0, max=1, help="share of films whose letters and arrows give the finding away")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="print what was written as JSON")] = False,
) -> None:
    """Make an archive of synthetic radiographs: DICOM files under OUT/archive, with registry.csv, labels.csv and sites.csv beside it.

    Example:

        screening phantoms out/demo --studies 200 --seed 1
    """
    from jobs.display import Steps
    from screening.phantom.archive import ArchiveOptions, make_archive, make_training_set

    with Steps(err) as steps:
        if lung_masks:
            summary = make_training_set(output, studies, seed, size, confounding, steps.show)
        else:
            summary = make_archive(output, studies, seed, ArchiveOptions(size, confounding=confounding), steps.show)
    if as_json:
        print_json(summary.as_dict())
        return
    findings = ", ".join(f"{count} {finding}" for finding, count in summary.findings.items())
    people = f"{summary.studies} studies of {summary.patients} people ({findings})"
    out.print(f"{people} and {summary.unwanted} other objects", markup=False, soft_wrap=True)
    for name, url in {
        "archive": summary.archive_url,
        "registry": summary.registry_url,
        "labels": summary.labels_url,
        "sites": summary.sites_url,
    }.items():
        out.print(f"  {name:9}{url}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(command)
