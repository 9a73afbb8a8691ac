"""`screening run`: score an archive and write the results."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command


def command(
    archive: Annotated[
        str, typer.Argument(help="folder, bucket prefix or file with the radiographs, or a PACS: a path, dicomweb:// or any fsspec URL")
    ],
    results: Annotated[str, typer.Option(help="where the results go: a path or URL outside the archive")],
    bundle: Annotated[
        str | None,
        typer.Option(
            help="folder or URL of the bundle with the weights of the three stages, or registry for the promoted one  "
            "[default: the promoted one, where there is one; else the released one, bundles/cxr-public-2]"
        ),
    ] = None,
    operating_points: Annotated[
        str | None,
        typer.Option(help="file that `screening thresholds --save` wrote for this bundle  [default: the bundle's own thresholds]"),
    ] = None,
    inventory: Annotated[
        str | None, typer.Option(help="S3 Inventory to read in place of a listing: its manifest.json, or the folder over its dated folders")
    ] = None,
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the night that the rows belong to  [default: today, UTC]")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="score only the newest N objects that have no row yet")] = None,
    actors: Annotated[
        int | None,
        typer.Option(
            help="cascade actors, each with all three networks  [default: one for each 8 cores; 1 with GPUs; a cluster's by its machines]"
        ),
    ] = None,
    gpus_per_actor: Annotated[float, typer.Option(help="GPUs for each actor; 0 runs on the CPU, 0.5 puts two actors on one GPU")] = 0.0,
    batch_size: Annotated[int | None, typer.Option(help="images a forward pass  [default: what suits the device]")] = None,
    audit_fraction: Annotated[
        float, typer.Option(help="share of the stage-2 negatives that stage 3 judges too, to measure what stage 2 loses")
    ] = 0.01,
    heatmaps: Annotated[str, typer.Option(help="keep heatmaps of: positive (and audited) rows, all scored rows, or none")] = "positive",
    dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32")] = "auto",
    shard_rows: Annotated[int, typer.Option(help="rows a shard at most, the unit of work and of commit")] = 256,
    decoders: Annotated[
        int | None, typer.Option(help="decode tasks at once  [default: a quarter of the cores, all beside GPUs; in a cluster what is free]")
    ] = None,
    pseudonym_key: Annotated[
        Path | None, typer.Option(help="file with the key of the pseudonyms  [default: SCREENING_PSEUDONYM_KEY_FILE]")
    ] = None,
    pseudonymize_uids: Annotated[
        bool, typer.Option("--pseudonymize-uids", help="replace all UIDs by pseudonyms, not only those that hold an identifier")
    ] = False,
    sites: Annotated[
        str | None,
        typer.Option(
            help="CSV file that begins with the line attribute,value,shown_as and lists the texts that rows may hold, e.g. "
            "InstitutionName,Northgate General,; other texts of InstitutionName, Manufacturer and ManufacturerModelName become pseudonyms. "
            "shown_as is what rows hold in the place of value and may be empty or left out"
        ),
    ] = None,
    encrypt_urls: Annotated[
        bool, typer.Option("--encrypt-urls", help="encrypt the names of files with the pseudonym key; `screening open-url` shows them")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print the run manifests as JSON")] = False,
) -> None:
    """Score every object of an archive that has no row yet, and write Parquet rows and heatmaps.

    A run that died is resumed first. Exit code 0 when every object has its row, 1 when the run failed, 2 for wrong usage.

    Example:

        screening run s3://insurance/cxr --results s3://insurance/screening --date 2020-03-01
    """
    from screening.ingest.config import IngestConfig
    from screening.run.config import MachineConfig, RunConfig
    from screening.shard.config import RowConfig

    config = RunConfig(
        RowConfig(
            (date or datetime.now(UTC)).date(),
            IngestConfig(pseudonymize_uids=pseudonymize_uids),
            audit_fraction=audit_fraction,
            heatmaps=heatmaps,
            dtype=dtype,
            encrypt_urls=encrypt_urls,
        ),
        MachineConfig(actors=actors, gpus_per_actor=gpus_per_actor, batch_size=batch_size, decoders=decoders),
        shard_rows=shard_rows,
        limit=limit,
    )
    from jobs.checks import bundle_for, check_archive, check_bundle, check_file, check_operating_points, check_writable
    from jobs.hidden_names import FILE_NAMES_STAND, is_first_run, say_what_became_pseudonyms, with_sites
    from jobs.keys import key_of
    from screening.archive.index import check_uids_hidden

    check_uids_hidden(archive, pseudonymize_uids=pseudonymize_uids, encrypt_urls=encrypt_urls)
    check_archive(archive, results, inventory)
    bundle, promoted = bundle_for(bundle, results, operating_points)
    manifest = check_bundle(bundle)
    if operating_points:
        check_operating_points(operating_points, manifest)
    if sites:
        check_file("--sites", sites)
    check_writable(results)
    key = key_of(pseudonym_key)  # may make one, so only where the run can begin
    config = with_sites(config, sites, key)
    from jobs.display import RunDisplay
    from jobs.warm_start import warm_start
    from screening.results.lock import holding
    from screening.run.machine import actors_for

    first, runs = is_first_run(results), []
    if first and not encrypt_urls:
        err.print(FILE_NAMES_STAND)
    locked = holding(results, "screening run")
    with answer_apart(json), locked as lease, RunDisplay(err) as display, warm_start(actors=actors_for(config.machine)):
        from jobs.run_table import run_table
        from screening.run.screen import Night, screen

        night = Night(archive, results, bundle, config, key, operating_points, inventory, promoted=promoted)
        for run in screen(night, lambda progress: (lease.check(), display.show(progress))):
            runs.append(run)
            if not json:
                out.print(run_table(run))
                if not run.counts.planned:
                    out.print(f"nothing to score: bundle {run.bundle_name} has answered all {run.counts.objects} objects before")
    if first:
        say_what_became_pseudonyms(results, runs[-1].bundle_digest)
    if json:
        print_json([run.model_dump(mode="json") for run in runs])


if __name__ == "__main__":
    run_command(command)
