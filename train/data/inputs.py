"""What a stage's network learns from: the images as the frozen earlier stages leave them, computed once and not once an epoch."""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
import torch
import torch.nn.functional as F
from ray.data.expressions import col

from schemas.bundle import Preprocessing
from schemas.progress import OnProgress, counter, unwatched
from screening.cascade.cascade import Cascade
from screening.cascade.network_input import network_input
from screening.storage import filesystem_of, join
from train.config import FitConfig
from train.data.images import ROWS_PER_TASK, ImageCache, masks_of, pixels_of, write_part
from train.data.strata import strata_of
from train.stages import OLD_TUNING, STAGES, TUNING

SPLITS = ("train", "val")
LAYERS = {"image": np.float16, "weight": np.float16, "target": np.uint8}
_NEUTRAL = {"gamma": 1.0, "lung_brightness": None, "mean": 0.0, "std": 1.0}  # leaves pixels in [0, 1]


@dataclass(frozen=True)
class StageInputs:
    """The inputs of one stage, as Ray Data sets.

    `datasets`: one a stratum of the training split (see train.data.strata), and TUNING, all of the tuning split. Columns: `group`, and as
    bytes (Parquet reads nested numbers ten times slower; `unpack` makes arrays of them) `image` (S, S) float16 in [0, 1], `weight`
    (S, S) float16 in [0, 1], the lung mask times H² as far as the stage uses them (absent for stage 1), and `target`, (S, S) or
    () uint8 in {0, 1}. `rows`: the length of each. `lungs_not_found`: images that the gate after stage 1 would reject, left out.
    `shares`: images of each stratum in a batch, over all workers. `weights`: what the shares were rounded from, up to a factor.
    """

    datasets: dict[str, ray.data.Dataset]
    rows: dict[str, int]
    lungs_not_found: int
    shares: dict[str, int]
    weights: dict[str, float]


def stage_inputs(
    stage: str,
    images: ImageCache,
    earlier_url: str | None,
    config: FitConfig,
    folder_url: str,
    on_progress: OnProgress = unwatched,
) -> StageInputs:
    """Run the frozen earlier stages, in the bundle at `earlier_url`, over the training and tuning splits.

    Small inputs stay in the object store; larger ones are written to `folder_url` and streamed from there.
    """
    size = config.stage(stage).input_size
    strata = strata_of(STAGES[stage], images.by_source("train", STAGES[stage]), config.stage(stage), config.workers)
    prepared = images.dataset(SPLITS).map_batches(
        make_layers,
        fn_kwargs={
            "stage": stage,
            "input_size": size,
            "preprocessing": config.preprocessing,
            "earlier": None if earlier_url is None else (earlier_url, config.use_gpu),
            "strata": strata.names,
        },
        **on_cascade_workers(config.workers, config.use_gpu),
    )
    expected_bytes = 4 * size * size * sum(images.rows.values())
    used = sum(n for split in SPLITS for n in images.by_source(split, STAGES[stage]).values())
    count = counter(on_progress, "preparing images", used)
    kept = _kept(prepared, folder_url, count, in_memory=expected_bytes <= config.materialize_bytes)
    counts = Counter((row["split"], row["stratum"], row["group"]) for row in kept.select_columns(["split", "stratum", "group"]).iter_rows())
    used_in_training = (col("split") == "train") & (col("group") != "")
    datasets = {name: kept.filter(expr=used_in_training & (col("stratum") == name)) for name in strata.shares}
    datasets[TUNING] = kept.filter(expr=(col("split") == "val") & (col("group") != ""))
    if expected_bytes <= config.materialize_bytes:
        datasets = {name: dataset.materialize() for name, dataset in datasets.items()}
    rows = {name: sum(n for (split, of, group), n in counts.items() if (split, of) == ("train", name) and group) for name in strata.shares}
    rows[TUNING] = sum(n for (split, _, group), n in counts.items() if split == "val" and group)
    not_found = sum(n for (*_, group), n in counts.items() if not group)
    return StageInputs(datasets, rows, not_found, strata.shares, strata.weights)


def with_old_data(stage: str, inputs: StageInputs, old: StageInputs) -> StageInputs:
    """Return `inputs` with the old groups of `old`, the inputs from another manifest, as data sets beside them, named by `old_source`."""
    groups = STAGES[stage].old_groups
    datasets = {old_source(group): old.datasets[group] for group in groups} | {OLD_TUNING: old.datasets[TUNING]}
    rows = {old_source(group): old.rows[group] for group in groups} | {OLD_TUNING: old.rows[TUNING]}
    not_found = inputs.lungs_not_found + old.lungs_not_found
    return replace(inputs, datasets=inputs.datasets | datasets, rows=inputs.rows | rows, lungs_not_found=not_found)


def old_sources(stage: str, inputs: StageInputs) -> tuple[str, ...]:
    """Return the names of the data sets of old data: those that `with_old_data` added, or else the old groups of `inputs`."""
    separate = OLD_TUNING in inputs.datasets
    return tuple(old_source(group) if separate else group for group in STAGES[stage].old_groups)


def old_source(group: str) -> str:
    """Return the name of the data set of old data that has a manifest of its own."""
    return f"old {group}"


def _kept(prepared: ray.data.Dataset, folder_url: str, count: Callable[[int], None], *, in_memory: bool) -> ray.data.Dataset:
    """Work out rows once, in their order, into the object store or into files below a folder, and count them as they are done."""
    if in_memory:
        blocks = []
        for block in prepared.iter_batches(batch_size=None, batch_format="pyarrow"):
            blocks.append(ray.put(block))
            count(block.num_rows)
        return ray.data.from_arrow_refs(blocks)
    filesystem, folder = filesystem_of(folder_url)
    if filesystem.exists(folder):
        filesystem.rm(folder, recursive=True)
    written = prepared.map_batches(_write_rows, fn_kwargs={"folder_url": folder_url}, batch_size=None, batch_format="pyarrow")
    files: list[str] = []
    for answers in written.iter_batches(batch_size=None, batch_format="numpy"):
        files += answers["file"].tolist()
        count(int(answers["rows"].sum()))
    return ray.data.read_parquet([f"{folder}/{file}" for file in files], filesystem=filesystem)


def _write_rows(rows: pa.Table, folder_url: str) -> dict[str, list[Any]]:
    """Write some rows into a file of their own, and return its name and their number."""
    name = f"{uuid.uuid4().hex}.parquet"
    write_part(rows, join(folder_url, name))
    return {"file": [name], "rows": [rows.num_rows]}


def make_layers(
    rows: dict[str, np.ndarray],
    *,
    stage: str,
    input_size: int,
    preprocessing: Preprocessing,
    earlier: tuple[str, bool] | None,
    strata: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Turn decoded rows into rows of `StageInputs`. Those that the stage has no use for fall out; without lungs a row's group is "".

    `earlier` is the bundle of the frozen stages and whether it runs on a GPU; None for stage 1. `strata` are those of training images.
    """
    task = STAGES[stage]
    groups = [task.group_of(label, masked) for label, masked in zip(rows["label"], rows["has_mask"], strict=True)]
    sources = rows["source"].astype(str).tolist()
    rows = {name: values[[group is not None for group in groups]] for name, values in rows.items()}
    neutral = preprocessing.model_copy(update=_NEUTRAL)
    pixels = torch.from_numpy(pixels_of(rows))
    layers: dict[str, Any] = {
        "group": [group for group in groups if group is not None],
        "stratum": [strata.get((group, source), "") for group, source in zip(groups, sources, strict=True) if group is not None],
        "split": rows["split"],
        "image": _packed(network_input(pixels, neutral, input_size)),
    }
    if earlier is None:
        return layers | {"target": _packed_masks(masks_of(rows), input_size)}
    targets = np.isin(rows["label"].astype(str), list(task.positive)).astype(np.uint8)
    found = cascade_at(*earlier)(pixels, guided=False)
    heatmap = torch.from_numpy(found.pneumonia_heatmap).nan_to_num(0) if stage == "covid" else None
    # what a white image becomes is what the earlier stages multiply every image with
    weight = network_input(torch.full_like(pixels, 255), neutral, input_size, torch.from_numpy(found.lung_mask), heatmap)
    group = [group if found else "" for group, found in zip(layers["group"], found.lungs_found, strict=True)]
    return layers | {"group": group, "weight": _packed(weight), "target": [target.tobytes() for target in targets]}


def unpack(rows: Mapping[str, Sequence[Any]], input_size: int) -> dict[str, np.ndarray]:
    """Return the columns of N rows of `StageInputs` as arrays: layers (N, S, S), targets (N, S, S) or (N,), groups (N,)."""
    arrays = {"group": np.array(rows["group"], dtype=object)} if "group" in rows else {}
    for name, dtype in LAYERS.items():
        if name in rows:
            flat = np.stack([np.frombuffer(value, dtype) for value in rows[name]])
            arrays[name] = flat[:, 0] if flat.shape[1] == 1 else flat.reshape(-1, input_size, input_size)
    return arrays


def on_cascade_workers(workers: int, use_gpu: bool) -> dict[str, Any]:
    """Return the arguments of a `map_batches` that calls `cascade_at`: as many tasks at a time as there are training workers."""
    resources = {"num_cpus": 0.5, "num_gpus": 1} if use_gpu else {"num_cpus": 0.5}
    return {"batch_size": ROWS_PER_TASK, "batch_format": "numpy", "compute": ray.data.TaskPoolStrategy(size=workers), **resources}


@lru_cache(maxsize=1)
def cascade_at(url: str, use_gpu: bool) -> Cascade:
    """Return the cascade of a bundle, loaded once in each process: tasks share theirs, and a new process costs seconds of imports."""
    return Cascade.from_bundle(url, device="cuda" if use_gpu else "cpu", threads=len(os.sched_getaffinity(0)))


def _packed_masks(masks: np.ndarray, size: int) -> list[bytes]:
    share = F.interpolate(torch.from_numpy(masks).float(), (size, size), mode="area")
    return [mask.tobytes() for mask in (share[:, 0] >= 0.5).to(torch.uint8).numpy()]


def _packed(layer: torch.Tensor) -> list[bytes]:
    return [image.tobytes() for image in layer[:, 0].contiguous().half().numpy()]
