"""How many machines a night needs, what they cost and what limits it, from what each stage takes for one image."""

import dataclasses
import math
from dataclasses import dataclass

import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.run import RunManifest
from screening.errors import UsageError, check_usage
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.storage import filesystem_of


@dataclass(frozen=True)
class Figure:
    """A number that a plan is made with, and where it comes from."""

    value: float
    unit: str
    source: str


# Where a night takes other figures, give them, or `--from` a run over the same archive on the same kind of machines.
ASSUMED = {
    "decode_ms": Figure(
        150,
        "ms of one core an image",
        "JPEG lossless, 2,500 × 2,048 pixels at 16 bits: 126 to 140 ms in `screening benchmark decode` on one core; "
        "reading and resizing beside it",
    ),
    "write_ms": Figure(10, "ms of one core an image", "an estimate: a row and the heatmaps of the positives"),
    "cascade_ms": Figure(
        520, "ms of one core an image", "2.9 to 3.1 images a second on two cores with AMX, less their decoding: docs/speed.md"
    ),
    "gpu_ms": Figure(20, "ms of one GPU an image", "an estimate, not measured: 65 GFLOP an image at 3 TFLOP/s, which an L4 exceeds"),
    "image_mb": Figure(5, "MB an image", "half of 2,500 × 2,048 pixels at 16 bits, which is what lossless JPEG leaves"),
    "network_gbits": Figure(10, "Gbit/s from the store to all machines", "an assumption: ask whoever runs the store"),
    "used_share": Figure(0.87, "share of the time that machines work", "a run beside a bare loop on the same machine: docs/speed.md"),
    "start_minutes": Figure(10, "minutes until all machines work", "an assumption: start of the machines, listing, planning"),
    "cores": Figure(16, "cores of each worker", "cluster.yaml: c7i.4xlarge and g6.4xlarge"),
    "gpus": Figure(1, "GPUs of each worker with GPUs", "cluster.yaml: g6.4xlarge"),
    "cpu_price": Figure(0.714, "USD an hour for a worker without a GPU", "c7i.4xlarge, AWS on demand, us-east-1; look up your own"),
    "gpu_price": Figure(1.323, "USD an hour for a worker with GPUs", "g6.4xlarge, AWS on demand, us-east-1; look up your own"),
    "head_price": Figure(0.202, "USD an hour for the head", "m7i.xlarge, AWS on demand, us-east-1; look up your own"),
}
FEEDING_CORES = 1  # of a machine with GPUs, for each of them


@dataclass(frozen=True)
class Capacity:
    """The machines of a night, what each stage manages with them, and how long it takes and costs.

    `limit` is the stage that would have to get more for the night to be shorter; `in_time` is False where only the network could do that.
    """

    images: int
    deadline_hours: float
    cpu_workers: int
    gpu_workers: int
    images_per_second: dict[str, float]  # stage → images a second at most
    limit: str
    hours: float
    price: float
    in_time: bool


def plan_capacity(images: int, deadline_hours: float, figures: dict[str, Figure], *, gpu: bool) -> Capacity:
    """Return the fewest machines that screen so many images within so many hours.

    Args:
        images: to be screened, at least 1.
        deadline_hours: from the start of the first machine.
        figures: those of ASSUMED, or others in their place.
        gpu: whether the cascade runs on GPUs, and else on the cores of all workers.

    Raises UsageError for numbers that make no night.
    """
    f = {name: figure.value for name, figure in figures.items()}
    check_usage(images >= 1, "--images is at least 1")
    check_usage(all(value > 0 for name, value in f.items() if not name.endswith(("price", "minutes"))), "costs and machines are above 0")
    seconds = 3600 * deadline_hours - 60 * f["start_minutes"]
    check_usage(seconds > 0, f"--deadline is longer than the {f['start_minutes']:g} minutes until all machines work")
    network = f["network_gbits"] * 1e9 / 8 / (f["image_mb"] * 1e6)
    rate = min(images / seconds, network)  # more machines than the network feeds would wait
    decode, cascade = (f["decode_ms"] + f["write_ms"]) / 1000, f["cascade_ms"] / 1000
    stages = {"network": network}
    if gpu:
        gpu_workers = math.ceil(rate * f["gpu_ms"] / 1000 / f["used_share"] / f["gpus"])
        beside = gpu_workers * max(0, f["cores"] - FEEDING_CORES * f["gpus"])
        cpu_workers = math.ceil(max(0, rate * decode / f["used_share"] - beside) / f["cores"])
        stages["decode"] = (cpu_workers * f["cores"] + beside) * f["used_share"] / decode
        stages["GPU"] = gpu_workers * f["gpus"] * f["used_share"] / (f["gpu_ms"] / 1000)
    else:
        gpu_workers, cpu_workers = 0, math.ceil(rate * (decode + cascade) / f["used_share"] / f["cores"])
        # one pool of cores does both: it is named by what takes most of it
        stages["decode" if decode > cascade else "cascade"] = cpu_workers * f["cores"] * f["used_share"] / (decode + cascade)
    limit = min(stages, key=lambda stage: stages[stage])
    hours = images / stages[limit] / 3600 + f["start_minutes"] / 60
    price = hours * (cpu_workers * f["cpu_price"] + gpu_workers * f["gpu_price"] + f["head_price"])
    return Capacity(images, deadline_hours, cpu_workers, gpu_workers, stages, limit, hours, price, hours <= deadline_hours * (1 + 1e-9))


def measured_figures(results_url: str) -> dict[str, Figure]:
    """Return what the last finished run of a results folder took for an image, by the names of ASSUMED.

    Of a cascade on the CPU each call is taken to have computed on one core, as calls do on machines with the memory for it.
    Raises UsageError where no run has finished that answered an image.
    """
    layout = ResultsLayout(results_url)
    runs = [run for run in list_runs(layout) if run.kind == "run" and run.status in ("finished", "stopped") and run.times.images]
    if not runs:
        raise UsageError(f"--from {results_url}: no run there has finished that answered an image; give another folder, or the costs")
    run = runs[-1]
    source = f"run {run.run_id}, {run.times.images} images"
    figures = {
        name: dataclasses.replace(ASSUMED[name], value=1000 * seconds / run.times.images, source=source)
        for name, seconds in _seconds(run).items()
    }
    figures["image_mb"] = dataclasses.replace(ASSUMED["image_mb"], value=_mean_megabytes(layout, run), source=source)
    return figures


def _seconds(run: RunManifest) -> dict[str, float]:
    gpus = run.configuration.get("gpus_per_actor") or 0
    judged = {"gpu_ms": run.times.cascade_seconds * gpus} if gpus else {"cascade_ms": run.times.cascade_seconds}
    return {"decode_ms": run.times.decode_seconds, "write_ms": run.times.write_seconds, **judged}


def _mean_megabytes(layout: ResultsLayout, run: RunManifest) -> float:
    filesystem, path = filesystem_of(layout.index(run.run_id))
    with filesystem.open(path, "rb") as file:
        return pc.mean(pq.read_table(file, columns=["object_bytes"]).column(0)).as_py() / 1e6
