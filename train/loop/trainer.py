"""One stage as one Ray Train job: scaling, checkpoints, failures, and the best weights it ended with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.fs
import ray
import ray.data
import ray.train
import torch
from ray.train.torch import TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError

from screening.errors import TrainingError
from screening.storage import filesystem_of, is_local
from train.config import FitConfig, StageConfig
from train.data.inputs import StageInputs, old_sources
from train.frozen import FrozenStages
from train.loop.entry import train_worker
from train.loop.job import CHECKPOINT_FILE, Distillation, Job
from train.stages import OLD_TUNING, TUNING

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Trained:
    """One stage after training: the weights of its best epoch, and its curve, one dict an epoch."""

    state: dict[str, torch.Tensor]
    curve: list[dict[str, Any]]


def train_stage(
    stage: str,
    inputs: StageInputs,
    config: FitConfig,
    storage_url: str,
    run_name: str,
    *,
    initial: State | None = None,
    earlier: FrozenStages | None = None,
    events_url: str | None = None,
    board: Any = None,
) -> Trained:
    """Train one stage and return its best epoch by tuning loss.

    Args:
        stage: its name.
        inputs: what its network sees, a data set a group and one for tuning. A group without images takes no part.
        config: of the whole training.
        storage_url: folder for checkpoints. A job that died is gone on with under the same `run_name`.
        run_name: must differ for other data or configuration; a finished name returns what it ended with.
        initial: weights to begin with.
        earlier: the network that `config.distill_weight` holds this one to, on the old data: those that `with_old_data` added, or else
            the old groups of `inputs`. With a weight of 0 or None it takes no part.
        events_url: folder for the curve as TensorBoard events.
        board: actor for epoch lines, see train.loop.progress.

    Raises:
        TrainingError: the job failed more often than `config.max_failures`, or its loss is not a number.
    """
    shares = {name: n for name, n in inputs.shares.items() if inputs.rows[name]}
    job = Job(
        stage,
        config,
        _steps(shares, inputs, config.stage(stage)),
        shares,
        distillation=_distillation(stage, inputs, config, earlier),
        initial=None if initial is None else ray.put(dict(initial)),
        events_url=events_url,
        board=board,
    )
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"job": job},
        scaling_config=ray.train.ScalingConfig(num_workers=config.workers, use_gpu=config.use_gpu),
        run_config=_run_config(storage_url, run_name, config),
        datasets={name: dataset for name, dataset in inputs.datasets.items() if inputs.rows[name]},
        dataset_config=_data_config(inputs, config),
    )
    try:
        result = trainer.fit()
    except TrainingFailedError as error:
        raise TrainingError(f"stage {stage} failed; give the same --storage to go on from its last checkpoint: {_cause(error)}") from error
    best = result.get_best_checkpoint("tuning_loss", "min")
    if best is None or not math.isfinite(result.return_value[-1]["tuning_loss"]):
        raise TrainingError(f"stage {stage} did not converge, its tuning loss is not a number: lower the learning rate")
    with best.as_directory() as folder:
        state = torch.load(Path(folder) / CHECKPOINT_FILE, map_location="cpu", weights_only=True)["module"]
    return Trained(state, result.return_value)


def _steps(shares: Mapping[str, int], inputs: StageInputs, config: StageConfig) -> int:
    """Return the batches of an epoch.

    By label they take each image of the largest group once, and smaller groups come round again; by source, as many images as there are.
    """
    if config.balance == "source":
        return math.ceil(sum(inputs.rows[name] for name in shares) / config.batch_size)
    return max(math.ceil(inputs.rows[name] / n) for name, n in shares.items())


def _distillation(stage: str, inputs: StageInputs, config: FitConfig, earlier: FrozenStages | None) -> Distillation | None:
    if earlier is None or not config.distill_weight:
        return None
    return Distillation(ray.put(earlier), config.distill_weight, old_sources(stage, inputs))


def _run_config(storage_url: str, run_name: str, config: FitConfig) -> ray.train.RunConfig:
    filesystem, path = filesystem_of(storage_url)
    remote = None if is_local(filesystem) else pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem))
    return ray.train.RunConfig(
        name=run_name,
        storage_path=path,
        storage_filesystem=remote,
        failure_config=ray.train.FailureConfig(max_failures=config.max_failures),
        checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="tuning_loss", checkpoint_score_order="min"),
    )


def _data_config(inputs: StageInputs, config: FitConfig) -> ray.train.DataConfig:
    """Split the groups among several workers. The tuning sets are never split: equal shares would drop their last rows."""
    groups = [name for name, rows in inputs.rows.items() if rows and name not in (TUNING, OLD_TUNING)]
    return ray.train.DataConfig(datasets_to_split=groups if config.workers > 1 else [])


def _cause(error: TrainingFailedError) -> str:
    """Return the last line of each worker's error: the message without Ray's traceback."""
    failures = getattr(error, "worker_failures", None) or {0: error}
    return "; ".join(f"worker {rank}: {str(failure).strip().splitlines()[-1]}" for rank, failure in failures.items())
