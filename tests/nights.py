"""Nights for tests: a run's configuration with some of its fields changed, whichever part of it they belong to."""

import dataclasses

from screening.run.config import MachineConfig, RunConfig
from screening.shard.config import RowConfig


def configured(config: RunConfig, **changes: object) -> RunConfig:
    """Return `config` with other values of fields of it, of its rows or of its machine."""

    def own(part: type) -> dict[str, object]:
        return {field.name: changes.pop(field.name) for field in dataclasses.fields(part) if field.name in changes}

    parts = {
        "rows": dataclasses.replace(config.rows, **own(RowConfig)),
        "machine": dataclasses.replace(config.machine, **own(MachineConfig)),
    }
    return dataclasses.replace(config, **parts, **changes)


def summary(n: int, reason: str | None = None) -> dict[str, object]:
    """Return what a run counts of a shard of `n` rows (pipeline.SUMMARY_SCHEMA): scored ones, or failed ones where there is a reason."""
    outcome = "scored" if reason is None else "failed"
    return {
        "outcomes": [outcome] * n,
        "reasons": [reason] * n,
        "pneumonia_positive": 3,
        "covid_positive": 1,
        "decode_seconds": 2.0,
        "cascade_seconds": 1.0,
        "write_seconds": 0.5,
    }
