"""`screening demo`: the whole path on synthetic studies."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import err, out, run_command

if TYPE_CHECKING:
    import duckdb

NIGHT = datetime(2020, 4, 30, tzinfo=UTC)  # after the last synthetic study
ACCURACY = """
select unit, tp, fp, fn, tn,
    printf('%.3f (%.3f to %.3f)', sensitivity, sensitivity_low, sensitivity_high) as sensitivity,
    printf('%.3f (%.3f to %.3f)', specificity, specificity_low, specificity_high) as specificity,
    unverified, indeterminate, not_scored
from accuracy where question = 'covid'
"""
LEAD_TIME = "select days, k, n, printf('%.3f (%.3f to %.3f)', share, low, high) as share, dates_missing from lead_time_summary"


def command(
    output: Annotated[Path, typer.Argument(help="folder to write into", metavar="OUT")] = Path("out/demo"),
    studies: Annotated[int, typer.Option(min=30, help="synthetic studies to screen")] = 400,
    train: Annotated[
        bool,
        typer.Option(
            "--train", help="train the bundle anew on other synthetic studies: some minutes more  [default: bundles/synthetic-small]"
        ),
    ] = False,
    training_studies: Annotated[int, typer.Option(min=60, help="with --train: how many studies to train on")] = 480,
) -> None:
    """Show the whole path on synthetic studies: make an archive, screen it with a small bundle, print the answers and write the report.

    What is there already is used again. Takes a minute or two on two cores.

    Example:

        screening demo out/demo
    """
    from screening.analytics.views import connect
    from screening.bundle.released import phantom_bundle

    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    archive = _step("an archive of synthetic studies with a registry of RT-PCR results", _make_archive, output, studies)
    _step("the registry with pseudonyms: the reference table", _make_reference, output)
    if train:
        _step("a small bundle, trained on other synthetic studies with Ray Train", _make_bundle, output, training_studies)
    bundle = str(output / "bundle") if (output / "bundle" / "bundle.json").exists() else phantom_bundle()
    _step(f"tonight's screening with Ray Data and the bundle {bundle}", _screen, output, archive, bundle)
    with connect(str(output / "results"), str(output / "reference.parquet")) as connection:
        _print_answers(connection, output)
    _step("a report of it all in one HTML file", _write_report, output)
    out.print(f"\n{time.monotonic() - started:.0f} s in all. What lies in {output}:", markup=False)
    for name, what in {
        "archive/": "DICOM files, some in zip and tar files",
        "reference.parquet": "RT-PCR results of the same people, under pseudonyms",
        **({"bundle/": "weights of the three stages and bundle.json"} if train else {}),
        "results/": "rows in Parquet, heatmaps in zip files",
        "report.html": "what was found, in the order of STARD 2015: open it in a browser",
    }.items():
        out.print(f"  {name:20}{what}", markup=False)
    out.print(f"Ask on: screening sql {output}/results --reference {output}/reference.parquet", markup=False, soft_wrap=True)


def _step(title: str, work, *arguments):
    """Do one step under a heading, and say how long it took."""
    err.print(f"── {title}", style="bold")
    started = time.monotonic()
    answer = work(*arguments)
    err.print(f"   {time.monotonic() - started:.0f} s", style="dim")
    return answer


def _make_archive(output: Path, studies: int) -> str:
    from screening.phantom.archive import make_archive

    if not (output / "registry.csv").exists():
        summary = make_archive(str(output), studies, seed=1)
        err.print(f"   {summary.studies} studies of {summary.patients} people, {summary.unwanted} unwanted objects, {summary.tests} tests")
    return str(output / "archive")


def _make_reference(output: Path) -> None:
    from jobs.pseudonymize_table import command as pseudonymize_table
    from screening.privacy import create_key

    key = output / "pseudonym.key"
    if not key.exists():
        create_key(key)
    if not (output / "reference.parquet").exists():
        pseudonymize_table(str(output / "registry.csv"), output=str(output / "reference.parquet"), key=key)


def _make_bundle(output: Path, studies: int) -> None:
    from screening.phantom.archive import make_training_set
    from train.config import preset
    from train.fit import fit
    from train.loop.progress import describe

    if (output / "bundle" / "bundle.json").exists():
        return
    make_training_set(str(output / "training"), studies, seed=2)
    fit(
        "all",
        str(output / "training" / "labels.csv"),
        str(output / "bundle"),
        preset("small"),
        on_epoch=lambda line: err.print(f"   {describe(line)}", markup=False),
    )


def _screen(output: Path, archive: str, bundle: str) -> None:
    from jobs.screen_archive import command as screen_archive

    screen_archive(
        archive,
        results=str(output / "results"),
        bundle=bundle,
        date=NIGHT,
        pseudonym_key=output / "pseudonym.key",
        sites=str(output / "sites.csv"),
    )


def _write_report(output: Path) -> None:
    from jobs.write_report import command as write_report

    write_report(
        str(output / "results"),
        str(output / "reference.parquet"),
        output=str(output / "report.html"),
        title="Synthetic radiographs: diagnostic accuracy of the demonstration cascade",
    )


def _print_answers(connection: "duckdb.DuckDBPyConnection", output: Path) -> None:
    from jobs.tables import answer_table

    for title, query in {
        "Flow of participants": "select box, reason, images, patients from flow",
        "COVID-19 against RT-PCR, 95 % intervals": ACCURACY,
        "Detected at least that many days before RT-PCR confirmation": LEAD_TIME,
    }.items():
        out.print()
        out.print(answer_table(connection.sql(query).to_arrow_table(), title))
    out.print()
    out.print("AUROC against the synthetic truth, on studies that were not trained on", style="italic")
    for stage, (value, n) in stage_aurocs(connection, str(output / "labels.csv")).items():
        out.print(f"  {stage:34} {value:.3f}  (n = {n})")


def stage_aurocs(connection: "duckdb.DuckDBPyConnection", labels_url: str) -> dict[str, tuple[float, int]]:
    """Return the AUROC of stages 2 and 3 against the findings that the phantoms were made with, and how many images it rests on."""
    from screening.metrics import auroc

    truth = (
        "from instances join read_csv($labels, all_varchar = true) as labels using (SOPInstanceUID) where counts and {score} is not null"
    )
    found = {}
    for stage, score, positive, where in (
        ("pneumonia against normal", "pneumonia_score", "label <> 'normal'", ""),
        ("COVID-19 against other pneumonia", "covid_score", "label = 'covid'", " and label <> 'normal'"),
    ):
        query = f"select {positive} as positive, {score} as score {truth.format(score=score)}{where}"
        rows = connection.sql(query, params={"labels": labels_url}).fetchnumpy()
        found[stage] = (auroc(rows["positive"], rows["score"]), len(rows["score"]))
    return found


if __name__ == "__main__":
    run_command(command)
