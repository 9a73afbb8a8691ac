"""`screening benchmark`: how fast this machine decodes, judges and screens, and how much memory a run holds."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.console import answer_apart, err, out, print_json, run_command
from schemas.progress import OnProgress, counter, within

if TYPE_CHECKING:
    from screening.benchmark.throughput import Measured

Row = dict[str, object]  # one measurement, column → value


class Part(StrEnum):
    """What is measured."""

    DECODE = "decode"  # milliseconds an image by transfer syntax, beside pydicom
    CASCADE = "cascade"  # milliseconds an image by stage, float32 and bf16
    THROUGHPUT = "throughput"  # `screening run` beside a bare loop over the same images
    MEMORY = "memory"  # peak memory of a run over N and 10 N instances
    ANALYTICS = "analytics"  # seconds of every view over a population of generated rows
    PLAN = "plan"  # an index of millions of objects, less almost as many rows of earlier nights, planned and started; runs when named
    SERVE = "serve"  # answers a second of a server beside a bare cascade, and what an idle request costs; runs when named
    START = "start"  # seconds of `screening score` for one file, from a cold start; runs when named
    FORGETTING = "forgetting"  # what stage 2 forgets while it learns COVID-19, by lambda of Eq. 2; takes minutes, runs when named


WHEN_NAMED = (Part.PLAN, Part.SERVE, Part.START, Part.FORGETTING)


def command(
    parts: Annotated[list[Part] | None, typer.Argument(help="what to measure  [default: the first five]")] = None,
    images: Annotated[int, typer.Option(min=16, help="images of the throughput benchmark")] = 512,
    instances: Annotated[int, typer.Option(min=10, help="instances of the smaller run of the memory benchmark")] = 1000,
    repeats: Annotated[int, typer.Option(min=1, help="of each measurement; the best is shown, of throughput every pair")] = 3,
    rows: Annotated[int, typer.Option(min=1000, help="instance rows of the analytics benchmark; a tenth as many RT-PCR tests")] = 1_000_000,
    rows_per_part: Annotated[int | None, typer.Option(min=1, help="rows of one Parquet part there  [default: a night]")] = None,
    objects: Annotated[
        int, typer.Option(min=1000, help="objects of the index of the plan benchmark; 1 in 100 has no row yet")
    ] = 10_000_000,
    requests: Annotated[int, typer.Option(min=32, help="requests of the serve benchmark")] = 2000,
    clients: Annotated[int, typer.Option(min=1, help="that send them at once")] = 32,
    bundle: Annotated[str | None, typer.Option(help="that answers there and at a cold start  [default: the released one]")] = None,
    distill_weights: Annotated[str, typer.Option(help="values of lambda, the weight of distillation")] = "0,0.5,1,2",
    epochs: Annotated[int, typer.Option(min=1, help="of each training of the forgetting benchmark")] = 12,
    json: Annotated[bool, typer.Option("--json", help="print the rows as JSON")] = False,
) -> None:
    """Measure this machine: decoding by transfer syntax, the cascade by stage, a run beside a bare loop, its memory, the SQL views.

    And, where asked for, a method: what stage 2 forgets of its old hospitals while it learns COVID-19 from a new one.

    Needs no data: the images are phantoms, the weights random, the results of the views made up. Ten million rows of those take 1 GB of
    temporary disk, a hundred million 10 GB, and as much again while a view is larger than the 4 GB of memory that it is given.

    Example:

        screening benchmark throughput --images 512
    """
    import pyarrow as pa

    from jobs.display import Steps
    from jobs.tables import answer_table

    weights = _weights(distill_weights)
    measures: dict[Part, Callable[[OnProgress], Iterator[Row]]] = {
        Part.DECODE: lambda told: _decode(repeats, told),
        Part.CASCADE: _cascade,
        Part.THROUGHPUT: lambda told: _throughput(images, repeats, told),
        Part.MEMORY: lambda told: _memory(instances, told),
        Part.ANALYTICS: lambda told: _analytics(rows, rows_per_part, told),
        Part.PLAN: lambda told: _plan(objects, told),
        Part.SERVE: lambda told: _serve(bundle, requests, clients, told),
        Part.START: lambda told: _start(bundle, repeats, told),
        Part.FORGETTING: lambda told: _forgetting(weights, epochs, told),
    }
    answers: dict[str, list[Row]] = {}
    for part in parts or [part for part in Part if part not in WHEN_NAMED]:
        measured = answers[part.value] = []
        with answer_apart(json), Steps(err) as steps:
            for row in measures[part](within(steps.show, part.value)):
                measured.append(row)
                steps.say(f"{part.value}: {_in_words(row)}")
        if not json:
            names = dict.fromkeys(name for row in measured for name in row)
            out.print(answer_table(pa.table({name: [row.get(name) for row in measured] for name in names})))
    if json:
        print_json(answers)


def _in_words(row: Row) -> str:
    """Return a row as it is measured: `what screening run, images 512, seconds 80.1`."""
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)


def _weights(text: str) -> list[float]:
    from screening.errors import UsageError

    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--distill-weights takes numbers with commas between them, not {text!r}") from error


def _decode(repeats: int, told: OnProgress) -> Iterator[Row]:
    from screening.benchmark.decode import decode_benchmark

    for row in decode_benchmark(repeats, told):
        yield {
            "transfer syntax": row.transfer_syntax,
            "bits": row.bits,
            "ms": round(row.our_ms, 1),
            "pydicom ms": None if row.pydicom_ms is None else round(row.pydicom_ms, 1),
            "times as fast": None if row.ratio is None else round(row.ratio, 1),
        }


def _cascade(told: OnProgress) -> Iterator[Row]:
    from screening.benchmark.cascade import cascade_benchmark

    for row in cascade_benchmark(on_progress=told):
        milliseconds = round(row.milliseconds, 1)
        yield {"stage": row.stage, "dtype": row.dtype, "device": row.device, "batch": row.batch_size, "ms": milliseconds}


def _throughput(images: int, repeats: int, told: OnProgress) -> Iterator[Row]:
    """Measure both in turn, so that a machine that gets slower meanwhile is slower for both."""
    from screening.benchmark import throughput

    ratios = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        archive, bundle, key = _prepare(Path(folder), images, told, full=True)
        count = counter(told, "bare loop and run in turn", 2 * repeats)
        for _ in range(repeats):
            bare = throughput.measure_bare_loop(archive, bundle)
            yield _measured(bare)
            count(1)
            run = throughput.measure_run(archive, bundle, key)
            yield _measured(run)
            count(1)
            ratios.append(run.images_per_second / bare.images_per_second)
    yield {"what": "ratio run / bare, median of the pairs", "images/s": round(statistics.median(ratios), 3)}


def _memory(instances: int, told: OnProgress) -> Iterator[Row]:
    from screening.benchmark import throughput

    peaks = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for n in (instances, 10 * instances):
            archive, bundle, key = _prepare(Path(folder) / str(n), n, told, full=False)
            told(f"run over {n:,} instances", 0, 0)
            run = throughput.measure_run(archive, bundle, key)
            yield _measured(run)
            peaks.append(run.peak_bytes)
    yield {"what": "ratio of the peaks", "peak MiB": round(peaks[1] / peaks[0], 3)}


def _analytics(rows: int, rows_per_part: int | None, told: OnProgress) -> Iterator[Row]:
    """Time every view over so many rows, in order."""
    from screening.benchmark import analytics

    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        results, reference = analytics.generate(folder, rows, rows // 10, rows_per_part=rows_per_part, on_progress=told)
        size = analytics.size_of(name)
        err.print(f"analytics: {rows:,} instance rows and {rows // 10:,} tests, {size / 2**20:,.0f} MiB")
        for timing in analytics.time_views(results, reference, folder / "spill", on_progress=told):
            seconds, cpu_seconds = round(timing.seconds, 2), round(timing.cpu_seconds, 2)
            yield {"view": timing.name, "seconds": seconds, "cpu seconds": cpu_seconds, "rows": timing.rows}


def _plan(objects: int, told: OnProgress) -> Iterator[Row]:
    """Time how a night begins."""
    from screening.benchmark import planning

    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        results = planning.generate(Path(name), objects, objects - objects // 100, told)
        told(f"planning a night over {objects:,} objects", 0, 0)
        begun = planning.measure(results)
    for step, times in begun.steps.items():
        yield {"step": step, "seconds": round(times["seconds"], 1), "cpu seconds": round(times["cpu_seconds"], 1)}
    sums = {kind: round(sum(times[kind] for times in begun.steps.values()), 1) for kind in ("seconds", "cpu_seconds")}
    yield {
        "step": f"all, {begun.pending:,} of {begun.objects:,} objects in {begun.shards} shards",
        "seconds": sums["seconds"],
        "cpu seconds": sums["cpu_seconds"],
        "peak MiB": round(begun.peak_bytes / 2**20),
    }


def _serve(bundle: str | None, requests: int, clients: int, told: OnProgress) -> Iterator[Row]:
    from screening.bundle.released import released_bundle
    from serve.benchmark import benchmark

    times = benchmark(bundle or released_bundle(), requests, clients, told)
    statuses = ", ".join(f"{count} of {status}" for status, count in sorted(times.requests.statuses.items()))
    per_second = {"answers/s": round(times.served_per_second, 2), "ms": round(statistics.median(times.requests.milliseconds))}
    yield {"what": "bare cascade", "answers/s": round(times.bare_per_second, 2), "ms": round(times.model_milliseconds, 1)}
    yield {"what": f"{requests} requests of {clients} clients", **per_second, "statuses": statuses, "wrong": times.requests.wrong}
    yield {"what": "one idle request", "ms": round(times.idle_milliseconds, 1)}
    yield {
        "what": "ratio, and idle milliseconds over the model",
        "answers/s": round(times.ratio, 3),
        "ms": round(times.over_milliseconds, 1),
    }


def _start(bundle: str | None, repeats: int, told: OnProgress) -> Iterator[Row]:
    from screening.benchmark.cold_start import cold_start_benchmark
    from screening.bundle.released import released_bundle

    times = cold_start_benchmark(bundle or released_bundle(), repeats, told)
    yield {"what": "screening score of one file", "seconds": round(times.command, 2)}
    yield {"what": "the same file, bundle open", "seconds": round(times.open_bundle, 2)}
    yield {"what": "difference", "seconds": round(times.over_the_model, 2)}


def _forgetting(weights: list[float], epochs: int, told: OnProgress) -> Iterator[Row]:
    """Train once for each weight; a row a model."""
    from train.forgetting import sweep

    count = counter(told, "trainings", 1 + len(weights))
    for model in sweep(weights, epochs=epochs):
        yield {
            "model": model.model,
            "epochs": model.epochs,
            "old task AUROC": _with_interval(model.old),
            "lost": "" if model.lost is None else _with_interval(model.lost, "difference"),
            "new task AUROC": _with_interval(model.new),
        }
        count(1)


def _with_interval(found: object, name: str = "auroc") -> str:
    """Return an estimate with its 95 % interval, e.g. `0.913 (0.870 to 0.956)`."""
    value, low, high = (getattr(found, field) for field in (name, "low", "high"))
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _prepare(folder: Path, images: int, told: OnProgress, *, full: bool) -> tuple[str, str, str]:
    """Make an archive of so many images, a bundle with random weights and a key; return where they are."""
    import numpy as np

    from screening.benchmark.random_bundle import FULL, SMALL, save_random_bundle
    from screening.benchmark.throughput import hard_linked_archive
    from screening.ingest.config import IngestConfig
    from screening.ingest.ingest import ingest
    from screening.phantom.archive import ArchiveOptions, make_archive
    from screening.privacy import create_key

    originals_wanted = min(images, 256 if full else 64)
    options = ArchiveOptions(size=1024 if full else 256, unwanted_fraction=0, containers=False)
    made = make_archive(str(folder / "originals"), originals_wanted, seed=3, options=options, on_progress=told)
    originals = sorted(Path(made.archive_url).rglob("*.dcm"))
    archive = hard_linked_archive(originals, folder / "archive", images)
    told("making a bundle with random weights", 0, 0)
    found = [ingest(file.read_bytes(), IngestConfig(), None).pixels for file in originals[:16]]
    save_random_bundle(
        str(folder / "bundle"), np.stack([pixels[None] for pixels in found if pixels is not None]), specs=FULL if full else SMALL
    )
    create_key(folder / "key")
    return archive, str(folder / "bundle"), str(folder / "key")


def _measured(measured: "Measured") -> Row:
    return {
        "what": measured.name,
        "images": measured.images,
        "seconds": round(measured.wall_seconds, 1),
        "images/s": round(measured.images_per_second, 2),
        "peak MiB": round(measured.peak_bytes / 2**20),
    }


if __name__ == "__main__":
    run_command(command)
