"""How much of a cascade at a time suits a machine, for machines worked out by hand."""

from pathlib import Path

import pytest

from screening.run import machine
from screening.run.config import MachineConfig
from screening.run.machine import actors_for, background_tasks, call_threads, calls_for, decoders_for, elsewhere, memory_bytes

GIB = 2**30


def give(monkeypatch: pytest.MonkeyPatch, cores: int, memory_gib: float) -> None:
    """Make this a machine with so many cores and so much memory, in no cluster."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(machine, "memory_bytes", lambda: int(memory_gib * GIB))


@pytest.mark.parametrize(
    ("cores", "memory_gib", "actors", "calls", "threads"),
    [  # 4 GiB are for everything else, and each call takes 1.5
        (1, 4, 1, 1, 1),
        (2, 5.4, 1, 1, 2),  # memory for less than one call
        (2, 6.9, 1, 1, 2),  # for one
        (2, 7, 1, 2, 1),  # for two
        (4, 8.5, 1, 3, 1),  # for three, of which each has a core
        (8, 16, 1, 8, 1),
        (8, 7, 1, 2, 4),
        (12, 64, 2, 6, 1),  # nine calls and more share no interpreter
        (16, 64, 2, 8, 1),
        (16, 16, 1, 8, 2),
        (64, 256, 8, 8, 1),
        (64, 24, 2, 6, 5),  # memory for thirteen
    ],
)
def test_a_call_a_core_as_far_as_memory_goes(
    monkeypatch: pytest.MonkeyPatch, cores: int, memory_gib: float, actors: int, calls: int, threads: int
) -> None:
    give(monkeypatch, cores, memory_gib)
    assert (actors_for(MachineConfig()), calls_for(MachineConfig())) == (actors, calls)
    assert call_threads(actors * calls) == threads


@pytest.mark.parametrize(("told", "calls"), [(1, 8), (2, 8), (4, 4), (5, 3), (16, 1), (20, 1)])
def test_actors_that_were_asked_for_share_the_calls(monkeypatch: pytest.MonkeyPatch, told: int, calls: int) -> None:
    give(monkeypatch, 16, 64)
    assert (actors_for(MachineConfig(actors=told)), calls_for(MachineConfig(actors=told))) == (told, calls)


@pytest.mark.parametrize(("cores", "gpus", "tasks"), [(1, 0, 1), (2, 0, 1), (7, 0, 1), (8, 0, 2), (16, 0, 4), (8, 1, 8), (16, 0.5, 16)])
def test_decoders_beside_a_cascade_on_the_cpu_or_on_gpus(monkeypatch: pytest.MonkeyPatch, cores: int, gpus: float, tasks: int) -> None:
    give(monkeypatch, cores, 64)
    config = MachineConfig(gpus_per_actor=gpus)
    assert (decoders_for(config), background_tasks(config)) == (tasks, tasks)
    told = MachineConfig(gpus_per_actor=gpus, decoders=3)
    assert (decoders_for(told), background_tasks(told)) == (3, tasks)


def test_of_gpus_and_clusters_this_machine_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 16, 64)
    assert not elsewhere(MachineConfig())
    gpu = MachineConfig(gpus_per_actor=0.5)
    assert (elsewhere(gpu), actors_for(gpu), calls_for(gpu)) == (True, 1, 1)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert (elsewhere(MachineConfig()), actors_for(MachineConfig()), calls_for(MachineConfig())) == (True, 1, 1)
    assert actors_for(MachineConfig(actors=6)) == 6
    assert calls_for(MachineConfig(calls_per_actor=3)) == 3  # as was decided


def test_a_container_has_what_it_is_limited_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CGROUP_LIMIT", limit)
    everything = memory_bytes()
    limit.write_text("max\n")
    assert memory_bytes() == everything
    limit.write_text("1073741824\n")
    assert memory_bytes() == GIB
    limit.write_text(f"{2 * everything}\n")
    assert memory_bytes() == everything
