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
