"""The Ray Data pipeline: planned shards → CPU decode tasks → a pool of cascade actors → writer tasks → one summary a shard.

A block is a shard all the way: the tasks before and after the actors have other resources than they have, for Ray fuses equal ones into
one process. Back-pressure between the operators is Ray Data's; what a run holds at once is bounded by `BLOCKS_IN_FLIGHT` and
`_shards_held`, whatever the size of the archive.
"""

import contextlib
import functools
import gc
import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import ray
import ray.data
from ray.data import ExecutionResources

from schemas.bundle import OperatingPoint, SitePoints
from schemas.reasons import Outcome
from screening.archive.reader import ObjectReader
from screening.errors import ScreeningError, WriteError
from screening.ingest.preprocess import SIZE
from screening.ingest.sandbox import DecodeSandbox
from screening.privacy import Pseudonymizer, UrlSeal
from screening.results.layout import ResultsLayout
from screening.results.run_log import about, log_to
from screening.run.config import MachineConfig, RunConfig
from screening.run.machine import actors_for, background_tasks, calls_for, decoders_for
from screening.run.machines import share_here
from screening.run.plan import PlannedShard, PlanReader
from screening.run.sealing import opened, sealed
from screening.run.watch import Watch
from screening.shard.commit import commit_shard
from screening.shard.decode import decode_rows
from screening.shard.score import score_rows

if TYPE_CHECKING:
    from screening.cascade.cascade import Cascade

ROW_BYTES = SIZE * SIZE + 4096  # of a decoded row: its pixels and its columns
BLOCKS_IN_FLIGHT = 2  # blocks in one call of an actor or waiting for it
BACKGROUND_NICENESS = 10  # of decoding and writing beside the cascade
NO_PROGRESS_SECONDS = 1800  # then the run fails rather than hangs, e.g. when no machine has the GPU it asks for

SUMMARY_SCHEMA = pa.schema(
    [
        ("shard_id", pa.string()),
        ("object_ids", pa.list_(pa.string())),
        ("outcomes", pa.list_(pa.string())),
        ("reasons", pa.list_(pa.string())),
        ("pneumonia_positive", pa.int64()),
        ("covid_positive", pa.int64()),
        ("bytes_read", pa.int64()),  # by the index; what could not be read is not counted
        ("decode_seconds", pa.float64()),
        ("cascade_seconds", pa.float64()),
        ("write_seconds", pa.float64()),
        ("not_written", pa.string()),  # why the results folder took no file; null where the shard was committed
    ]
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What every worker of a run needs to know. Travels to them by pickle; holds no open file."""

    run_id: str
    layout: ResultsLayout
    bundle_url: str
    bundle_digest: str
    config: RunConfig
    pseudonym_key: bytes = field(repr=False)
    operating_points: Mapping[str, OperatingPoint] = field(default_factory=dict)  # other thresholds than the bundle's own
    sites: Mapping[str, SitePoints] = field(default_factory=dict)  # and for the images of some sites alone
    quarantined: Mapping[str, str] = field(default_factory=dict)  # object_id → why it is not to be touched again
    commit: bool = True  # False only probes which rows survive

    @property
    def plan_url(self) -> str:
        """Where the plan lies."""
        return self.layout.plan(self.run_id)


def execute(work: Work, shards: list[PlannedShard], *, rows_apart: bool = False) -> Iterator[dict[str, Any]]:
    """Run shards through the pipeline and yield a summary (SUMMARY_SCHEMA) of each that came through, as they come.

    A shard whose worker died or raised yields nothing: compare with what was asked for. With `rows_apart` each row is a task of its own,
    which finds the row that kills its worker.
    """
    with _settings(work):
        actors, calls = actors_for(work.config.machine), 1 if rows_apart else calls_for(work.config.machine)
        items = [_item(shard, row) for shard in shards for row in (range(shard.rows) if rows_apart else [None])]
        if not items:
            return
        dataset = _dataset(work, items, actors, calls, blocks=1 if rows_apart else BLOCKS_IN_FLIGHT * calls)
        batches = dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        try:
            for batch in batches:
                yield from batch.to_pylist()
        finally:
            # Ray ends an actor with the last handle of it, and its executor holds handles in circles. Until Python comes round to those,
            # the actors of a pass keep their slots, and who waits for a slot does nothing that would make Python come round
            del dataset, batches
            gc.collect()


def _dataset(work: Work, items: list[dict[str, Any]], actors: int, calls: int, *, blocks: int) -> ray.data.Dataset:
    """Return the pipeline: decode on tasks, judge in a pool of actors that answer so many calls at a time each, write on tasks."""
    dataset = ray.data.from_items(items, override_num_blocks=len(items))
    dataset = dataset.map_batches(
        functools.partial(_decode, work=work),
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=1,
        compute=ray.data.TaskPoolStrategy(size=_decoders(work.config.machine)),
        max_retries=1,
    )
    dataset = dataset.map_batches(
        CascadeActor,
        fn_constructor_kwargs={"work": work},
        batch_size=None,
        batch_format="pyarrow",
        compute=_actor_pool(actors, calls, blocks=blocks),
        **_actor_resources(work.config.machine),
        max_restarts=-1,
        max_task_retries=1,
    )
    return dataset.map_batches(
        functools.partial(_write, work=work),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=0.25,
        compute=ray.data.TaskPoolStrategy(size=_writers(work.config.machine)),
        zero_copy_batch=True,
    )


def _item(shard: PlannedShard, row: int | None) -> dict[str, Any]:
    return {"shard_id": shard.shard_id, "row_group": shard.row_group, "rows": shard.rows, "row": -1 if row is None else row}


def _decoders(machine: MachineConfig) -> int | None:
    """Return how many decode tasks run at a time; in a cluster one on each CPU that is free, unless the run is told."""
    return machine.decoders if _in_cluster(machine) else decoders_for(machine)


def _writers(machine: MachineConfig) -> int | None:
    """Return how many shards are written at a time; in a cluster that is left to Ray."""
    return None if _in_cluster(machine) else background_tasks(machine)


def _in_cluster(machine: MachineConfig) -> bool:
    return machine.cpus_per_actor is not None


def _shards_held(machine: MachineConfig) -> int | None:
    """Return how many decoded shards a run holds at once on a single machine: in the actors, in the decoders, and two between them."""
    decoders = None if _in_cluster(machine) else _decoders(machine)
    return None if decoders is None else BLOCKS_IN_FLIGHT * actors_for(machine) * calls_for(machine) + decoders + 2


def _actor_pool(actors: int, calls: int, *, blocks: int) -> ray.data.ActorPoolStrategy:
    """Return a pool whose actors answer so many calls at a time and hold so many blocks, those of the calls among them."""
    return ray.data.ActorPoolStrategy(
        size=actors, max_tasks_in_flight_per_actor=blocks, max_concurrent_calls_per_actor=calls, enable_true_multi_threading=True
    )


def _actor_resources(machine: MachineConfig) -> dict[str, float]:
    return {"num_gpus": machine.gpus_per_actor, "num_cpus": machine.cpus_per_actor or 0.5}


def _decode(items: pa.Table, work: Work) -> pa.Table:
    """Decode one shard, or one row of it."""
    [item] = items.to_pylist()
    planned = _plan_reader(work.plan_url).read(PlannedShard(item["shard_id"], item["row_group"], item["rows"]))
    if item["row"] >= 0:
        planned = planned.slice(item["row"], 1)
    _give_way()
    seal = UrlSeal(work.pseudonym_key) if work.config.rows.encrypt_urls else None
    with _at(work, "decode", item["shard_id"], planned), ObjectReader(work.config.rows.ingest.limits.max_bytes) as reader:
        ingest = _sandbox(work.config, work.pseudonym_key).ingest
        decoded = decode_rows(
            opened(planned, seal) if seal else planned,
            reader,
            ingest,
            quarantined=work.quarantined,
            read_threads=work.config.machine.read_threads,
        )
        return sealed(decoded, seal) if seal else decoded


@contextlib.contextmanager
def _at(work: Work, role: str, shard_id: str, rows: pa.Table) -> Iterator[None]:
    """Log what a worker does with a shard, or with one row of it: that it did it, or the frames of the error that stopped it.

    Ray leaves the shard out, and the driver then looks for the row that is to blame. Ray writes the text of an error into logs of its own,
    and that text may quote a header. So Ray gets another error, which says no more than where to look.
    """
    log_to(work.layout, work.run_id)
    with about(role, shard_id):
        started = time.perf_counter()
        try:
            yield
        except WriteError:
            raise
        except Exception as error:
            alone = rows.column("object_id")[0].as_py() if len(rows) == 1 else None
            log.exception("%s of %d rows failed", role, len(rows), extra={"object_id": alone})
            raise ScreeningError(f"{role} failed with {type(error).__name__}: see the log of run {work.run_id}") from None
        log.info("%s of %d rows took %.1f s", role, len(rows), time.perf_counter() - started)


def _give_way() -> None:
    """Let the cascade go first on the CPU, from this thread and what it starts.

    The threads of a network wait for each other at every layer: one that has to share its core stalls them all.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))


@functools.lru_cache(maxsize=1)
def _sandbox(config: RunConfig, pseudonym_key: bytes) -> DecodeSandbox:
    """Return this process's decoder. It ends with the process, whose end of the pipe closes; a new one would import them anew."""
    pseudonymizer = Pseudonymizer(pseudonym_key, config.rows.ingest.pseudonymize_uids)
    return DecodeSandbox(
        config.rows.ingest, pseudonymizer, seconds=config.machine.decode_seconds, memory_bytes=config.machine.decode_memory_bytes
    )


@functools.lru_cache(maxsize=2)
def _plan_reader(url: str) -> PlanReader:
    return PlanReader(url)


class CascadeActor:
    """Holds the three networks of one device and answers one shard a call, several calls at a time: nothing of a call is kept in it.

    How many, and with how many threads each, goes by the machine that it lives on. Ray may hand it more: they wait for their turn.
    """

    def __init__(self, work: Work):
        share = share_here(work.config.machine)
        self._work, self._threads, self._turn = work, share.threads, threading.BoundedSemaphore(share.calls)
        self._watch = Watch(work.config.machine.call_seconds)
        self._cascade = load_cascade(work.bundle_url, work.config, work.operating_points, work.sites, threads=1)
        if ray.get_runtime_context().was_current_actor_reconstructed:
            log_to(work.layout, work.run_id)
            with about("cascade"):
                log.warning("this process replaces one that ended; if that one hung, its frames are in Ray's worker-*.err on its machine")

    def __call__(self, decoded: pa.Table) -> pa.Table:
        from screening.cascade.device import use_threads

        # Ray calls an actor from other threads than it constructs it in. OpenMP keeps a team of threads for each thread that ever computed
        # on several cores. When the teams together have more threads than there are cores, they sleep at every turn: a shard took half
        # as long again.
        use_threads(self._threads)
        with self._turn, self._watch, _at(self._work, "cascade", decoded.column("shard_id")[0].as_py(), decoded):
            return score_rows(decoded, self._cascade, self._work.config.rows, self._watch.came_on)


def load_cascade(
    bundle_url: str,
    config: RunConfig,
    operating_points: Mapping[str, OperatingPoint] | None = None,
    sites: Mapping[str, SitePoints] | None = None,
    *,
    threads: int,
) -> "Cascade":
    """Return the cascade as an actor of a run holds it, on its GPU or on the CPU, loaded with so many threads."""
    from screening.cascade.cascade import Cascade

    return Cascade.from_bundle(
        bundle_url,
        device="cuda" if config.machine.gpus_per_actor else "cpu",
        dtype=config.rows.dtype,
        batch_size=config.machine.batch_size,
        threads=threads,
        operating_points=operating_points,
        sites=sites,
    )


def _write(scored: pa.Table, work: Work) -> pa.Table:
    """Commit one shard and return its summary, also where the results folder takes no file: that is not the shard's fault."""
    _give_way()
    started, not_written = time.perf_counter(), None
    if work.commit:
        try:
            with _at(work, "write", scored.column("shard_id")[0].as_py(), scored):
                commit_shard(scored, work.layout, work.bundle_digest, work.config.rows.screen_date)
        except WriteError as error:
            not_written = str(error)
    return pa.Table.from_pylist([_summary(scored, time.perf_counter() - started, not_written)], schema=SUMMARY_SCHEMA)


def _summary(scored: pa.Table, write_seconds: float, not_written: str | None) -> dict[str, Any]:
    return {
        "shard_id": scored.column("shard_id")[0].as_py(),
        "object_ids": scored.column("object_id").to_pylist(),
        "outcomes": scored.column("outcome").to_pylist(),
        "reasons": scored.column("reason").to_pylist(),
        "pneumonia_positive": pc.sum(scored.column("pneumonia_positive"), min_count=0).as_py(),
        "covid_positive": pc.sum(scored.column("covid_positive"), min_count=0).as_py(),
        "bytes_read": pc.sum(scored.filter(pc.field("outcome") != Outcome.FAILED.value).column("object_bytes"), min_count=0).as_py(),
        "decode_seconds": pc.sum(scored.column("decode_ms")).as_py() / 1000,
        "cascade_seconds": pc.sum(scored.column("cascade_ms")).as_py() / 1000,
        "write_seconds": write_seconds,
        "not_written": not_written,
    }


@contextlib.contextmanager
def _settings(work: Work) -> Iterator[None]:
    """Set what the pipeline needs of Ray Data, and put it back."""
    context = ray.data.DataContext.get_current()
    held = _shards_held(work.config.machine)
    limits = ExecutionResources.for_limits(object_store_memory=held and held * work.config.shard_rows * ROW_BYTES)
    with contextlib.ExitStack() as restore:
        for name, value in {
            "max_errored_blocks": -1,  # a shard that fails is missing from the summaries, and is looked at on its own
            "enable_progress_bars": False,
            "print_on_execution_start": False,
            "target_max_block_size": work.config.shard_rows * ROW_BYTES,  # what a decode task is expected to give: a shard, never cut
            "execution_no_progress_timeout_s": NO_PROGRESS_SECONDS,
        }.items():
            restore.callback(setattr, context, name, getattr(context, name))
            setattr(context, name, value)
        restore.callback(setattr, context.execution_options, "resource_limits", context.execution_options.resource_limits)
        context.execution_options.resource_limits = limits
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")  # the named parameters of 2.60 lack retries; ray is pinned
            warnings.filterwarnings("ignore", "The maximum number of concurrent tasks")  # a short night has fewer shards than cores
            yield
