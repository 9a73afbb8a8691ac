import os

import pytest

from screening.run import machine
from screening.run.config import MachineConfig
from screening.run.machine import CALL_BYTES, OTHER_BYTES, actors_for, call_threads, calls_for, decoders_for, memory_bytes

CORES = os.cpu_count() or 1


def asked(**settings: float) -> MachineConfig:
    return MachineConfig(**settings)


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(machine, "memory_bytes", lambda: OTHER_BYTES + CORES * CALL_BYTES)


@pytest.mark.parametrize(("cores", "actors", "calls"), [(1, 1, 1), (2, 1, 2), (8, 1, 8), (12, 2, 6), (16, 2, 8), (64, 8, 8)])
def test_a_call_a_core_in_few_actors(monkeypatch: pytest.MonkeyPatch, cores: int, actors: int, calls: int) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(machine, "memory_bytes", lambda: OTHER_BYTES + cores * CALL_BYTES)
    assert (actors_for(asked()), calls_for(asked())) == (actors, calls)
    assert call_threads(actors * calls) == 1


@pytest.mark.usefixtures("roomy")
def test_memory_bounds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory in (2**30, OTHER_BYTES + CALL_BYTES):
        monkeypatch.setattr(machine, "memory_bytes", lambda memory=memory: memory)
        assert actors_for(asked()) == calls_for(asked()) == 1
    assert call_threads(1) == CORES


@pytest.mark.usefixtures("roomy")
def test_gpus_and_clusters_are_for_the_caller_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert actors_for(asked(gpus_per_actor=0.5)) == calls_for(asked(gpus_per_actor=0.5)) == 1
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert actors_for(asked()) == calls_for(asked()) == 1


@pytest.mark.usefixtures("roomy")
def test_a_run_does_as_it_is_told() -> None:
    assert actors_for(asked(actors=5)) == 5
    assert calls_for(asked(actors=CORES)) == 1
    assert calls_for(asked(actors=CORES + 1)) == 1
    assert decoders_for(asked(decoders=7)) == 7


def test_gpus_are_fed_by_every_core() -> None:
    assert decoders_for(asked(gpus_per_actor=1)) == CORES
    assert decoders_for(asked()) == max(1, CORES // 4)


def test_a_container_has_what_it_is_limited_to(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CGROUP_LIMIT", limit)
    everything = memory_bytes()
    limit.write_text("max\n")
    assert memory_bytes() == everything
    limit.write_text("1073741824\n")
    assert memory_bytes() == 2**30
