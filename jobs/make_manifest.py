"""`screening manifest`: public data sets, as downloaded, to one manifest to train from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.console import err, out, print_json, run_command

if TYPE_CHECKING:
    from rich.table import Table


def command(
    sets: Annotated[
        list[str],
        typer.Argument(
            help="NAME FOLDER, or NAME=FOLDER for each of several sets: padchest, rsna, nih, cohen, hannover, figure1, actualmed, covidx, "
            "montgomery, shenzhen, plain",
            metavar="NAME FOLDER | NAME=FOLDER...",
        ),
    ],
    output: Annotated[
        str, typer.Option(help="the manifest to write, .csv; its report and what was left out lie beside it")
    ] = "manifest.csv",
    min_age: Annotated[float, typer.Option(min=0, help="years; younger patients are left out, unknown ages are not")] = 18,
    split_key: Annotated[
        str, typer.Option(help="the split follows from it and the patients: another key draws another split")
    ] = "chest-screening",
    covidx_version: Annotated[str | None, typer.Option(help="which split files of covidx, where there are several: 8A, CXR-3A")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="that decode images  [default: one a processor]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Read public data sets from their folders as downloaded, split their patients, and write one manifest for `screening fit`.

    Patients who share an image, or one that looks the same, stay on one side. An official split is kept, and what crosses it is named.
    Everything that is not in the manifest is counted with its reason, and listed beside it. Folders may be any fsspec URL; zip and tar
    files in them need not be unpacked.

    Example:

        screening manifest cohen=covid-chestxray-dataset hannover=covid-19-image-repository nih=ChestX-ray14 --output radiographs.csv
    """
    from jobs.display import Steps
    from train.datasets.assemble import ManifestConfig, assemble
    from train.datasets.fingerprints import available_processes
    from train.datasets.output import stem_of, write_manifest

    stem_of(output)  # a wrong name is refused before hours of decoding
    config = ManifestConfig(min_age, split_key, covidx_version, processes or available_processes())
    with Steps(err) as steps:
        report = write_manifest(assemble(named_folders(sets), config, on_progress=steps.show), output)
    if as_json:
        print_json(report)
    else:
        _print_report(report, output)


def named_folders(sets: list[str]) -> list[tuple[str, str]]:
    """Return (name, folder) of each set. Raises UsageError where the arguments are neither of the two forms."""
    from screening.errors import UsageError

    if len(sets) == 2 and "=" not in sets[0]:
        return [(sets[0], sets[1])]
    pairs = [tuple(part.split("=", 1)) for part in sets]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise UsageError(f"sets are given as NAME FOLDER, or as NAME=FOLDER for each: {' '.join(sets)}")
    return pairs


def _print_report(report: dict[str, Any], output: str) -> None:
    for account in report["sets"]:
        _print_account(account)
    out.print(_split_table(report))
    like = report["near_duplicates"]
    out.print(
        f"{like['pairs']:,} pairs of images look the same, {like['pairs_of_two_patients']:,} of them of patients with two names and "
        f"{like['pairs_of_two_labels']:,} with two labels; "
        f"{like['crossing']:,} cross an official split",
        soft_wrap=True,
    )
    for one, split, other, other_split, bits in like["crossing_pairs"][:10]:
        out.print(f"  {one} ({split}) and {other} ({other_split}), {bits} bits of 256 apart", markup=False, soft_wrap=True)
    out.print(f"manifest {report['manifest_sha256'][:12]} in {output}", markup=False, soft_wrap=True)


def _print_account(account: dict[str, Any]) -> None:
    from rich.table import Table

    from train.datasets.rows import Why

    out.print(
        f"{account['name']}: {account['kept']:,} of {account['listed']:,} listed images, {account['unlisted']:,} files that are not listed",
        markup=False,
        soft_wrap=True,
    )
    known = {str(why): why.description for why in Why}
    table = Table("left out", "images", "why", box=None, pad_edge=True)
    table.columns[1].justify = "right"
    for why, images in account["left_out"].items():
        table.add_row(why, f"{images:,}", known.get(why, "refused by the gate that every image passes"))
    if account["left_out"]:
        out.print(table)
    for note, images in account["notes"].items():
        out.print(f"  {images:,} {note}", markup=False, soft_wrap=True)


def _split_table(report: dict[str, Any]) -> "Table":
    from rich.table import Table

    labels = sorted({label for counts in report["images"].values() for label in counts})
    table = Table("split", *labels, "lung masks", "patients", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for split in ("train", "val", "test"):
        counts = report["images"].get(split, {})
        numbers = [*(counts.get(label, 0) for label in labels), report["lung_masks"].get(split, 0), report["patients"].get(split, 0)]
        table.add_row(split, *(f"{number:,}" for number in numbers))
    return table


if __name__ == "__main__":
    run_command(command)
