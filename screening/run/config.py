"""What a run can be told. The resolved configuration is saved in the run's manifest."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from screening.errors import check_usage
from screening.shard.config import RowConfig


@dataclass(frozen=True)
class MachineConfig:
    """What a run may use of the machines that it has: decides how fast rows come, never what they hold."""

    actors: int | None = None  # cascade actors; None takes what suits the machines
    gpus_per_actor: float = 0.0  # 0 runs the cascade on the CPU
    cpus_per_actor: float | None = None  # CPUs of a cluster that an actor takes; None on one machine, which shares its cores by itself
    calls_per_actor: int | None = None  # shards that an actor answers at a time; None takes what suits the machines
    batch_size: int | None = None  # images a forward pass; None takes what suits the device and the precision
    decoders: int | None = None  # decode tasks at once; None takes what suits the machine
    decode_seconds: float = 60.0  # an image whose decoding takes longer becomes a failed row
    decode_memory_bytes: int = 4 * 2**30  # of the child process that decodes
    call_seconds: float = 300.0  # a worker whose cascade takes longer over its next images hangs: it is ended, and another takes its shards
    read_threads: int = 8  # objects read ahead by one decode task

    def __post_init__(self) -> None:
        check_usage(self.actors is None or self.actors >= 1, "--actors is at least 1")
        check_usage(self.gpus_per_actor >= 0, "--gpus-per-actor is not negative")
        check_usage(self.batch_size is None or self.batch_size >= 1, "--batch-size is at least 1")
        check_usage(self.decoders is None or self.decoders >= 1, "--decoders is at least 1")


@dataclass(frozen=True)
class RunConfig:
    """One run: what its rows hold, on which machines it is carried out, and how the work is cut."""

    rows: RowConfig
    machine: MachineConfig = field(default_factory=MachineConfig)
    shard_rows: int = 256  # rows a shard at most: the unit of work and of commit
    limit: int | None = None  # rows to score in this run; the rest is left for later
    max_failed_fraction: float = 0.5  # more objects than this share that cannot be read stop the run: the store is down

    def __post_init__(self) -> None:
        check_usage(self.limit is None or self.limit >= 1, "--limit is at least 1")
        check_usage(1 <= self.shard_rows <= 4096, "--shard-rows is 1 to 4096")

    def to_json(self) -> dict[str, Any]:
        """Return every field, those of `rows` and `machine` among the others, as plain JSON values."""
        own = {name: value for name, value in asdict(self).items() if name not in ("rows", "machine")}
        return self.rows.to_json() | asdict(self.machine) | own

    @classmethod
    def from_json(cls, values: dict[str, Any], machine: MachineConfig) -> "RunConfig":
        """Rebuild a configuration from `to_json`, also of an earlier version with fewer fields, to be carried out on another `machine`.

        The batch stays what it was unless `machine` says another or is of another kind: one of a GPU would be too large for a CPU.
        """
        if machine.batch_size is None and bool(machine.gpus_per_actor) == bool(values["gpus_per_actor"]):
            machine = replace(machine, batch_size=values["batch_size"])
        own = {name: values[name] for name in ("shard_rows", "limit", "max_failed_fraction")}
        return cls(RowConfig.from_json({row.name: values[row.name] for row in fields(RowConfig) if row.name in values}), machine, **own)
