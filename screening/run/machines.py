"""Which machines a run has, this one or those of a cluster, and how the cascade is shared among them.

On one machine the numbers come from its cores and memory. In a cluster the driver reads the machines from Ray: a CPU actor takes a fixed
number of the CPUs of whichever machine it lands on, and there it answers as many shards at a time as that machine's cores and memory allow.
So machines of different sizes are each used by their own measure, and an actor that Ray starts anew elsewhere is right there, too.
"""

import dataclasses
import math
from dataclasses import dataclass

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from screening.cascade.batch import batch_size_for
from screening.run.config import MachineConfig
from screening.run.machine import (
    CALL_BYTES,
    MOST_CALLS,
    OTHER_BYTES,
    actors_for,
    call_threads,
    calls_for,
    decoders_for,
    in_cluster,
    memory_bytes,
)
from screening.run.ray_session import ray_session

WRITERS_SLOT = 0.5  # of a CPU, which an actor leaves to those that write; so it never asks for what a decode task asks for, see pipeline


@dataclass(frozen=True)
class Node:
    """One machine of a Ray cluster, as Ray counts it."""

    node_id: str
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Share:
    """What one cascade actor may use of its machine: calls at a time, and CPU threads of each."""

    calls: int
    threads: int


def resolved(machine: MachineConfig, dtype: str) -> MachineConfig:
    """Return the configuration with everything that "suits the machine" in numbers, as the run's manifest keeps it.

    In a cluster the number of decoders stays open: Ray, which may start machines meanwhile, decodes on whatever CPUs are free.
    """
    if machine.batch_size is None and dtype != "auto":  # a run of an earlier version may have left both to each actor
        machine = dataclasses.replace(machine, batch_size=batch_size_for(dtype, gpu=bool(machine.gpus_per_actor)))
    if not in_cluster():
        calls = calls_for(machine)
        return dataclasses.replace(machine, actors=actors_for(machine), calls_per_actor=calls, decoders=decoders_for(machine))
    return spread(machine, candidates(machine))


def spread(machine: MachineConfig, nodes: list[Node]) -> MachineConfig:
    """Return how the actors of a run share the nodes that may hold one: how many there are, and how many CPUs each takes."""
    if machine.gpus_per_actor:
        fit = sum(int(node.gpus // machine.gpus_per_actor) for node in nodes)
        return dataclasses.replace(machine, actors=machine.actors or max(1, fit), cpus_per_actor=WRITERS_SLOT, calls_per_actor=1)
    slots = [cascade_slots(node.cpus) for node in nodes if cascade_slots(node.cpus)]
    of_each = min((count // math.ceil(count / MOST_CALLS) for count in slots), default=1)
    machine = dataclasses.replace(machine, cpus_per_actor=of_each - WRITERS_SLOT)
    fit = sum(actors_on(node.cpus, machine) for node in nodes if cascade_slots(node.cpus))
    calls = max((min(MOST_CALLS, int(node.cpus) // actors_on(node.cpus, machine)) for node in nodes), default=1)
    return dataclasses.replace(machine, actors=machine.actors or max(1, fit), calls_per_actor=calls)


def cascade_slots(cpus: float) -> int:
    """Return how many CPUs of a machine actors may take: three quarters, so that each machine decodes and writes, too."""
    return int(cpus) - max(1, int(cpus) // 4)


def actors_on(cpus: float, machine: MachineConfig) -> int:
    """Return how many CPU actors are meant to live on a machine with so many CPUs."""
    return max(1, int(cascade_slots(cpus) // (machine.cpus_per_actor + WRITERS_SLOT)))


def share_here(machine: MachineConfig) -> Share:
    """Return what an actor of the run may use of the machine that it finds itself on."""
    if machine.cpus_per_actor is None:
        calls = calls_for(machine)
        return Share(calls, call_threads(actors_for(machine) * calls))
    here = ray.get_runtime_context().get_node_id()
    [node] = [node for node in nodes_up() if node.node_id == here]
    return share_of(machine, node, memory_bytes())


def share_of(machine: MachineConfig, node: Node, memory: int) -> Share:
    """Return what an actor of a run in a cluster may use of a node with so many bytes of memory."""
    if machine.gpus_per_actor:
        return Share(1, max(1, int(node.cpus / max(1, node.gpus // machine.gpus_per_actor))))
    actors = actors_on(node.cpus, machine)
    at_once = max(1, min(int(node.cpus), (memory - OTHER_BYTES) // CALL_BYTES) // actors)
    calls = min(at_once, machine.calls_per_actor or 1)
    return Share(calls, max(1, int(node.cpus) // (actors * calls)))


def candidates(machine: MachineConfig) -> list[Node]:
    """Return the nodes of the cluster that may hold an actor; where there is none yet, make the autoscaler start one."""
    with ray_session():
        if not (found := _fitting(machine)):
            ray.get(ray.remote(_nothing).options(num_gpus=machine.gpus_per_actor, num_cpus=1).remote())
            found = _fitting(machine)
        return found


def ask_each(machine: MachineConfig, question: object, *arguments: object) -> list[object]:
    """Return what a function says on each node that may hold an actor, or, outside of a cluster, on this machine."""
    nodes = candidates(machine) if in_cluster() else []
    asked, gpus = ray.remote(question), machine.gpus_per_actor
    # softly, so that a node which goes meanwhile is not waited for
    places: list[object] = [NodeAffinitySchedulingStrategy(node.node_id, soft=True) for node in nodes] or ["DEFAULT"]
    with ray_session(actors=actors_for(machine)):
        return ray.get([asked.options(num_gpus=gpus, scheduling_strategy=place).remote(*arguments) for place in places])


def nodes_up() -> list[Node]:
    """Return every node of the cluster that Ray takes for alive."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    return [Node(node["NodeID"], node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)) for node in alive]


def nodes_lost() -> int:
    """Return how many nodes of the cluster have died since it was started."""
    return sum(not node["Alive"] for node in ray.nodes())


def _fitting(machine: MachineConfig) -> list[Node]:
    return [node for node in nodes_up() if (node.gpus >= machine.gpus_per_actor if machine.gpus_per_actor else node.cpus >= 1)]


def _nothing() -> None:
    """Do nothing: the task only needs a machine."""
