"""What a run can be told: it comes back from JSON, and what concerns the machines decides no row."""

import dataclasses
import json
from datetime import date
from typing import Any

import pytest

from screening.errors import UsageError
from screening.run.config import MachineConfig, RunConfig
from screening.shard.config import RowConfig
from tests.nights import configured

CONFIG = RunConfig(RowConfig(date(2020, 3, 1)))
MACHINE = {
    "actors": 3,
    "gpus_per_actor": 0.5,
    "cpus_per_actor": 2.5,
    "calls_per_actor": 4,
    "batch_size": 16,
    "decoders": 5,
    "decode_seconds": 7.5,
    "decode_memory_bytes": 2**30,
    "call_seconds": 90.0,
    "read_threads": 2,
}
OWN = {"shard_rows": 64, "limit": 10, "max_failed_fraction": 0.25}


def test_every_field_is_changed_below() -> None:
    assert MACHINE.keys() == {field.name for field in dataclasses.fields(MachineConfig)}
    assert OWN.keys() == {field.name for field in dataclasses.fields(RunConfig)} - {"rows", "machine"}


@pytest.mark.parametrize("name", [*MACHINE, *OWN])
def test_machines_and_the_cutting_of_the_work_decide_no_row(name: str) -> None:
    other = configured(CONFIG, **{name: (MACHINE | OWN)[name]})
    assert other != CONFIG
    assert other.rows.digest("bundle", "key") == CONFIG.rows.digest("bundle", "key")


def test_it_comes_back_from_json_on_another_machine() -> None:
    config = configured(CONFIG, **MACHINE, **OWN, heatmaps="all", audit_seed=5, screen_date=date(2020, 4, 1))
    stored = json.loads(json.dumps(config.to_json()))
    assert stored.keys() >= {*MACHINE, *OWN, "screen_date", "ingest"}
    assert RunConfig.from_json(stored, config.machine) == config
    elsewhere = RunConfig.from_json(stored, MachineConfig(actors=1))
    assert elsewhere == dataclasses.replace(config, machine=MachineConfig(actors=1))


@pytest.mark.parametrize(("gpus", "told", "batch_size"), [(1, None, 16), (1, 8, 8), (0, None, None), (0, 2, 2)])
def test_a_run_keeps_its_batch_where_the_device_is_of_the_same_kind(gpus: float, told: int | None, batch_size: int | None) -> None:
    stored = configured(CONFIG, gpus_per_actor=0.5, batch_size=16).to_json()
    again = RunConfig.from_json(stored, MachineConfig(gpus_per_actor=gpus, batch_size=told))
    assert again.machine == MachineConfig(gpus_per_actor=gpus, batch_size=batch_size)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"actors": 0}, "--actors is at least 1"),
        ({"gpus_per_actor": -1}, "--gpus-per-actor is not negative"),
        ({"batch_size": 0}, "--batch-size is at least 1"),
        ({"decoders": 0}, "--decoders is at least 1"),
        ({"limit": 0}, "--limit is at least 1"),
        ({"shard_rows": 0}, "--shard-rows is 1 to 4096"),
        ({"shard_rows": 4097}, "--shard-rows is 1 to 4096"),
    ],
)
def test_contradictions_fail_in_the_constructor(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        configured(CONFIG, **wrong)
