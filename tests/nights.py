"""Nights for tests: small ones, with some fields of their configuration changed, and what came of them."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from datetime import date

import psutil
import pyarrow as pa

from schemas.bundle import Overrides
from schemas.instance import INSTANCE_SCHEMA
from schemas.run import RunManifest
from screening.bundle.checks import load_manifest
from screening.results.layout import ResultsLayout
from screening.results.rows import read_all
from screening.results.snapshot import take
from screening.run.config import MachineConfig, RunConfig
from screening.run.screen import Night
from screening.shard.config import RowConfig

KEY = b"a pseudonym key for tests"
CONFIG = RunConfig(RowConfig(date(2020, 3, 1), audit_fraction=0.5), MachineConfig(actors=1, decoders=2), shard_rows=8)


def configured(config: RunConfig, **changes: object) -> RunConfig:
    """Return `config` with other values of fields of it, of its rows or of its machine."""

    def own(part: type) -> dict[str, object]:
        return {field.name: changes.pop(field.name) for field in dataclasses.fields(part) if field.name in changes}

    parts = {
        "rows": dataclasses.replace(config.rows, **own(RowConfig)),
        "machine": dataclasses.replace(config.machine, **own(MachineConfig)),
    }
    return dataclasses.replace(config, **parts, **changes)


def night(archive: object, results: object, bundle: str, **changes: object) -> Night:
    """Return a night with CONFIG, some of its fields changed."""
    return Night(str(archive), str(results), bundle, configured(CONFIG, **changes), KEY)


def only(runs: Iterator[RunManifest]) -> RunManifest:
    """Carry out a night that is to be one run, and return its manifest."""
    [run] = runs
    return run


def rows_of(results: object, bundle: str, points: Overrides | None = None) -> pa.Table:
    """Return every committed row of a bundle at those operating points, None for its own (INSTANCE_SCHEMA)."""
    digest = (points or Overrides()).applied(load_manifest(bundle)).digest()
    return read_all(take(ResultsLayout(str(results)), digest), INSTANCE_SCHEMA.names)


def actors_left(seconds: float = 20) -> list[str]:
    """Return the actors of this process's Ray that have not ended with their night, after some time to end."""
    deadline = time.monotonic() + seconds
    while left := [name for child in psutil.Process().children(recursive=True) if "MapWorker" in (name := _title(child))]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.2)
    return []


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def summary(n: int, reason: str | None = None) -> dict[str, object]:
    """Return what a run counts of a shard of `n` rows (pipeline.SUMMARY_SCHEMA): scored ones, or failed ones where there is a reason."""
    outcome = "scored" if reason is None else "failed"
    return {
        "outcomes": [outcome] * n,
        "reasons": [reason] * n,
        "pneumonia_positive": 3,
        "covid_positive": 1,
        "bytes_read": 1000 * n,
        "decode_seconds": 2.0,
        "cascade_seconds": 1.0,
        "write_seconds": 0.5,
        "not_written": None,
    }
