"""How a run shares the machines of a cluster, for clusters worked out by hand, and what Ray says of the one that is there."""

import os

import pytest

from screening.cascade.batch import batch_size_for
from screening.run import machine
from screening.run.config import MachineConfig
from screening.run.machines import (
    Node,
    Share,
    actors_on,
    ask_each,
    candidates,
    cascade_slots,
    nodes_lost,
    nodes_up,
    resolved,
    share_here,
    share_of,
    spread,
)

GIB = 2**30


def cluster(*cpus: float, gpus: float = 0) -> list[Node]:
    """Return a head without CPUs and nodes with so many, each with so many GPUs."""
    return [Node(str(number), count, gpus) for number, count in enumerate(cpus)]


def give(monkeypatch: pytest.MonkeyPatch, cores: int, memory_gib: float) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: cores)
    monkeypatch.setattr(machine, "memory_bytes", lambda: int(memory_gib * GIB))


def test_what_suits_one_machine_is_kept_in_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, 16, 64)
    expected = MachineConfig(actors=2, calls_per_actor=8, decoders=4, batch_size=4)
    assert resolved(MachineConfig(), "bfloat16") == resolved(expected, "float32") == expected
    assert resolved(MachineConfig(), "float32").batch_size == batch_size_for("float32", gpu=False)
    assert resolved(MachineConfig(), "auto").batch_size is None  # as a run of an earlier version may have left it
    assert resolved(MachineConfig(gpus_per_actor=1), "bfloat16").batch_size == batch_size_for("bfloat16", gpu=True)


@pytest.mark.parametrize(
    ("cpus", "actors", "cpus_per_actor", "calls", "shares"),
    [  # a quarter of each machine decodes; an actor answers 8 calls at most
        ((2,), 1, 0.5, 2, [Share(2, 1)]),
        ((2, 2, 2), 3, 0.5, 2, [Share(2, 1)] * 3),
        ((8, 8), 2, 5.5, 8, [Share(8, 1)] * 2),
        ((16,), 2, 5.5, 8, [Share(8, 1)]),
        ((16, 4), 5, 2.5, 4, [Share(4, 1), Share(4, 1)]),  # four actors on the larger one, each with four of its cores
        ((64, 64), 12, 7.5, 8, [Share(8, 1)] * 2),
        ((1, 4), 1, 2.5, 4, [Share(1, 1), Share(4, 1)]),  # a machine with one CPU decodes
    ],
)
def test_each_actor_has_its_own_machines_cores(
    cpus: tuple[int, ...], actors: int, cpus_per_actor: float, calls: int, shares: list[Share]
) -> None:
    nodes = cluster(*cpus)
    run = spread(MachineConfig(), nodes)
    assert (run.actors, run.cpus_per_actor, run.calls_per_actor) == (actors, cpus_per_actor, calls)
    assert [share_of(run, node, 512 * GIB) for node in nodes] == shares
    assert spread(MachineConfig(actors=7), nodes).actors == 7


def test_actors_leave_cpus_to_decode_tasks_and_never_look_like_one() -> None:
    for cpus in range(2, 129):
        run = spread(MachineConfig(), cluster(cpus))
        assert run.cpus_per_actor % 1 == 0.5  # Ray fuses tasks and actors that ask for the same
        assert actors_on(cpus, run) * run.cpus_per_actor < cascade_slots(cpus) + 1 <= cpus
        share = share_of(run, Node("0", cpus, 0), 4096 * GIB)
        assert cpus / 2 <= actors_on(cpus, run) * share.calls * share.threads <= cpus


def test_memory_bounds_the_calls_and_the_cores_go_to_those_that_are_left() -> None:
    run = spread(MachineConfig(), cluster(16))
    assert share_of(run, Node("0", 16, 0), 10 * GIB) == Share(2, 4)  # memory for four calls, by two actors
    assert share_of(run, Node("0", 16, 0), 1 * GIB) == Share(1, 8)


@pytest.mark.parametrize(("gpus", "each", "actors", "threads"), [(1, 1, 2, 16), (4, 1, 8, 4), (1, 0.5, 4, 8), (2, 2, 2, 16)])
def test_there_is_an_actor_for_each_gpu_or_part_of_one(gpus: float, each: float, actors: int, threads: int) -> None:
    nodes = cluster(16, 16, gpus=gpus)
    run = spread(MachineConfig(gpus_per_actor=each), nodes)
    assert (run.actors, run.calls_per_actor) == (actors, 1)
    assert share_of(run, nodes[0], 64 * GIB) == Share(1, threads)


def test_a_cluster_without_machines_yet_gets_one_actor() -> None:
    assert spread(MachineConfig(), []).actors == spread(MachineConfig(gpus_per_actor=1), []).actors == 1


@pytest.mark.usefixtures("ray_cluster")
def test_ray_says_which_machines_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    [node] = nodes_up()
    assert (node.cpus >= 2, node.gpus, nodes_lost()) == (True, 0, 0)
    assert candidates(MachineConfig()) == [node]
    assert ask_each(MachineConfig(), os.path.basename, "four/five") == ["five"]
    cores = os.cpu_count() or 1
    local = share_here(MachineConfig(actors=1))
    assert local.calls * local.threads <= cores
    there = share_here(spread(MachineConfig(), [node]))
    assert there.calls * there.threads <= node.cpus
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")  # as where the session is a cluster's
    assert resolved(MachineConfig(), "float32") == spread(MachineConfig(batch_size=1), [node])
    assert ask_each(MachineConfig(), os.path.basename, "four/five") == ["five"]
