"""`screening nightly`: the whole night by one file, for a timer to start."""

from datetime import UTC, datetime
from datetime import date as Day
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import EXIT_FAILED, answer_apart, err, out, print_json, run_command

if TYPE_CHECKING:
    from schemas.nightly import NightlyConfig, NightRecord
    from schemas.registry import RegistryEntry
    from screening.run.config import RunConfig


def command(
    config: Annotated[str, typer.Argument(help="TOML file or URL with archive, results and what else there is to say")],
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="the night that the rows belong to  [default: that of a night that died, else today, UTC]"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="only look whether the file, archive, bundle and results folder are all right")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print the record of the night as JSON")] = False,
) -> None:
    """Run, redrive, compact, retain, monitor and report, one night at a time, until a deadline, and tell somebody when that fails.

    A night that died is gone on with by the same command. Exit code 0 when all went well, also where a deadline left objects for the next
    night; 1 when a step failed, a limit was crossed, or another night holds the results; 2 for wrong usage.

    Example:

        screening nightly /etc/screening/nightly.toml
    """
    from screening.nightly.config import load_config

    told = load_config(config)
    tonight = _run_config(told, (date or datetime.now(UTC)).date())
    bundle, promoted = _checked(told)
    if check:
        out.print(f"{config}: all right", markup=False)
        return
    record = _carry_out(told, tonight, bundle, promoted, json, dated=date is not None)
    if json:
        print_json(record.model_dump(mode="json"))
    if any(told.startswith("limit_crossed") for told in record.told):
        raise typer.Exit(EXIT_FAILED)


def _run_config(told: "NightlyConfig", night: Day) -> "RunConfig":
    from screening.ingest.config import IngestConfig
    from screening.run.config import MachineConfig, RunConfig
    from screening.shard.config import RowConfig

    run = told.run
    rows = RowConfig(
        night,
        IngestConfig(pseudonymize_uids=run.pseudonymize_uids),
        audit_fraction=run.audit_fraction,
        heatmaps=run.heatmaps,
        dtype=run.dtype,
        encrypt_urls=run.encrypt_urls,
    )
    machine = MachineConfig(actors=run.actors, gpus_per_actor=run.gpus_per_actor, batch_size=run.batch_size, decoders=run.decoders)
    return RunConfig(rows, machine, shard_rows=run.shard_rows, limit=run.limit)


def _checked(told: "NightlyConfig") -> "tuple[str, RegistryEntry | None]":
    """Return the URL of the bundle, and the entry of the registry that names it. Raises for all that is wrong before a night begins."""
    from jobs.checks import bundle_for, check_archive, check_bundle, check_file, check_operating_points, check_writable
    from schemas.reasons import Reason
    from screening.analytics import monitoring
    from screening.archive.index import check_uids_hidden
    from screening.errors import UsageError

    run = told.run
    check_uids_hidden(told.archive, pseudonymize_uids=run.pseudonymize_uids, encrypt_urls=run.encrypt_urls)
    check_archive(told.archive, told.results, told.inventory)
    bundle, promoted = bundle_for(told.bundle, told.results, told.operating_points)
    manifest = check_bundle(bundle)
    if told.operating_points:
        check_operating_points(told.operating_points, manifest)
    for option, file in {"run.sites": run.sites, "reference": told.reference, "pseudonym_key": told.pseudonym_key}.items():
        if file:
            check_file(option, file)
    for code in told.redrive.reasons:
        if code not in set(Reason):
            raise UsageError(f"redrive.reasons: there is no reason {code}; one of {', '.join(sorted(Reason))}")
    stated = monitoring.load_limits(told.monitor.limits_file) if told.monitor.limits_file else monitoring.AlertLimits()
    monitoring.with_limits(stated, [f"{name}={value}" for name, value in told.monitor.limits.items()])
    check_writable(told.results)
    return bundle, promoted


def _carry_out(
    told: "NightlyConfig", tonight: "RunConfig", bundle: str, promoted: "RegistryEntry | None", json: bool, *, dated: bool
) -> "NightRecord":
    """Return the record of the night; without a date of its own it may be one that died."""
    from pathlib import Path

    from jobs.display import RunDisplay
    from jobs.hidden_names import with_sites
    from jobs.keys import key_of

    key = key_of(Path(told.pseudonym_key) if told.pseudonym_key else None)
    with answer_apart(json), RunDisplay(err) as display:
        import dataclasses

        from screening.nightly.config import next_deadline
        from screening.nightly.night import Job, carry_out, date_of_tonight
        from screening.run.screen import Night

        now = datetime.now().astimezone()
        config = with_sites(tonight, told.run.sites, key)
        deadline = next_deadline(told.deadline, now)
        night = Night(told.archive, told.results, bundle, config, key, told.operating_points, told.inventory, deadline, promoted)
        if not dated:
            rows = dataclasses.replace(config.rows, screen_date=date_of_tonight(night.layout, night.archive_name, now))
            night = dataclasses.replace(night, config=dataclasses.replace(config, rows=rows))
        return carry_out(Job(told, night), display.show, lambda line: err.print(line, markup=False, soft_wrap=True))


if __name__ == "__main__":
    run_command(command)
