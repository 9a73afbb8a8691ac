"""What every Ray Train worker runs: one stage, from its shard of the inputs to checkpoints."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from screening.bundle.networks import NetworkSpec
from screening.cascade.device import keep_freed_memory
from screening.cascade.network_input import compose
from screening.models.build import build
from train.config import StageConfig
from train.data.inputs import LAYERS, unpack
from train.loop.augment import augment, mixup
from train.loop.batches import Arrays, GroupStream, drawn
from train.loop.events import write_events
from train.loop.job import CHECKPOINT_FILE, Job
from train.loop.objective import Objective, autocast
from train.loop.scanners import as_elsewhere
from train.loop.schedule import EarlyStopping, learning_rate
from train.loop.tuning import Judged, figures
from train.stages import OLD_TUNING, STAGES, TUNING, Stage

TELL_SECONDS = 1.0


def train(job: Job) -> list[dict[str, Any]]:
    """Train one stage and return its curve, one dict an epoch. Runs in each worker of a TorchTrainer, every one with the same job.

    Goes on from the last checkpoint where there is one. Reports a checkpoint an epoch; all workers stop at the same epoch, for they
    judge by figures gathered from all.
    """
    worker = Worker(job)
    worker.restore()
    while not worker.done:
        worker.run_epoch()
        worker.report()
    return worker.history


class Worker:
    """One process of the training of one stage: its network, optimizer, place in the schedule and curve so far."""

    def __init__(self, job: Job):
        context = ray.train.get_context()
        self.rank, self.world = context.get_world_rank(), context.get_world_size()
        self.job = job
        self.stage: Stage = STAGES[job.stage]
        self.config: StageConfig = job.config.stage(job.stage)
        self.device = ray.train.torch.get_device()
        _settle(context.get_local_world_size())
        torch.manual_seed(job.config.seed)
        module = build(NetworkSpec(self.config.architecture, self.config.input_size, self.config.arguments))
        if job.initial is not None:
            module.load_state_dict(module.state_dict() | dict(ray.get(job.initial)))  # a file of others brings no head
        self.objective = Objective(job, self.device)
        self.module = module.to(memory_format=torch.channels_last)
        self.parallel: nn.Module = ray.train.torch.prepare_model(self.module)  # moves the module to the device, adds DDP
        self.averaged = _running_average(self.module, self.config.averaging) if self.config.averaging else None
        self.kept: nn.Module = self.module if self.averaged is None else self.averaged.module  # what is judged, and kept in the end
        self.optimizer = torch.optim.AdamW(self.module.parameters(), self.config.learning_rate, weight_decay=self.config.weight_decay)
        self.old_tuning = TUNING if set(self.objective.old) <= set(job.shares) else OLD_TUNING
        self.shards = {name: ray.train.get_dataset_shard(name) for name in {*self.objective.sources, TUNING, self.old_tuning}}
        self.stopping = EarlyStopping(self.config.patience)
        self.history: list[dict[str, Any]] = []
        self._told = 0.0

    @property
    def epoch(self) -> int:
        """Number of epochs behind us."""
        return len(self.history)

    @property
    def done(self) -> bool:
        """Whether training ends here: every epoch is run, or the tuning loss has stopped falling."""
        return self.epoch >= self.config.epochs or self.stopping.exhausted

    def run_epoch(self) -> None:
        """Train for one epoch, measure on the tuning split, add a line to the curve."""
        started = time.perf_counter()
        train_loss = self._train()
        seconds = time.perf_counter() - started
        _share_buffers(self.kept, self.world)
        line = {"stage": self.stage.name, "epoch": self.epoch + 1, "epochs": self.config.epochs, "train_loss": train_loss} | self._tune()
        line["images_per_second"] = self.job.steps * self.config.batch_size / seconds
        self.stopping.see(line["tuning_loss"])
        self.history.append(line)

    def _train(self) -> float:
        """Return the mean loss of this epoch's batches. Seeded by the epoch, so that a resumed job sees what an unbroken one would have."""
        seed, epoch = self.job.config.seed, self.epoch
        torch.manual_seed(seed * 1_000_003 + epoch * 1_009 + self.rank)
        streams = {
            name: GroupStream(self.shards[name], [seed, epoch, self.rank, i], self._unpack) for i, name in enumerate(self.objective.sources)
        }
        shares = {name: self.job.shares.get(name, max(self.job.shares.values())) // self.world for name in streams}
        self.parallel.train()
        total = torch.zeros((), device=self.device)
        for step in range(self.job.steps):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(epoch * self.job.steps + step, self.config.epochs * self.job.steps, self.config.learning_rate)
            x, target = self._on_device(drawn(streams, shares), augmented=True)
            if self.config.mixup:
                x, target = mixup(x, target, self.config.mixup, self.objective.is_old(len(x)))
            with autocast(self.device):
                logit = self.parallel(x)
            loss = self.objective(x, logit.float(), target)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            if self.averaged is not None:
                self.averaged.update_parameters(self.module)
            total += loss.detach()
            self._tell(step + 1)
        return float(np.mean(_gather(float(total) / self.job.steps, self.world)))

    def _tell(self, step: int) -> None:
        """Tell whoever watches how many batches are done, once a second at most."""
        if self.rank != 0 or self.job.board is None or time.monotonic() - self._told < TELL_SECONDS:
            return
        self._told = time.monotonic()
        self.job.board.count.remote(self.stage.name, self.epoch * self.job.steps + step, self.config.epochs * self.job.steps)

    def _tune(self) -> dict[str, Any]:
        """Return loss and figure on the tuning split. Each worker judges every world-th image."""
        judged = Judged()
        for groups, x, logit, target in self._judged(TUNING):
            judged.see(self.objective, groups, logit, target)
            if self.objective.old and self.old_tuning == TUNING:
                judged.see_old(self.objective, self.stage, groups, x, logit)
        if self.old_tuning != TUNING:
            for groups, x, logit, _ in self._judged(self.old_tuning):
                judged.see_old(self.objective, self.stage, groups, x, logit)
        return figures(_gather(judged, self.world), self.objective)

    @torch.no_grad()
    def _judged(self, name: str) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Give this worker's share of a tuning set batch by batch: groups (B,), inputs, logits and targets (B, ...) float32."""
        self.kept.eval()
        for rows in self.shards[name].iter_batches(batch_size=self.config.batch_size, batch_format="numpy"):
            rows = {column: values[self.rank :: self.world] for column, values in rows.items()}
            if not len(rows["image"]):
                continue
            rows = self._unpack(rows)
            x, target = self._on_device(rows, augmented=False)
            with autocast(self.device):
                logit = self.kept(x)
            yield rows["group"], x, logit.float(), target

    def _on_device(self, rows: Arrays, *, augmented: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return network inputs (B, 1, S, S) float32, channels last, and targets, (B, 1) or (B, 1, S, S) float32, on the device."""
        layers = {name: torch.from_numpy(rows[name]).to(self.device).unsqueeze(1) for name in LAYERS if name in rows}
        if augmented:
            layers = _resized(layers, self.config.training_size(self.epoch))
        image, weight, target = layers["image"].float(), layers.get("weight"), layers["target"]
        if augmented and self.stage.name == "lungs":
            image, target = augment(image, target, self.config.augmentation)
        elif augmented:
            image, weight = augment(image, weight, self.config.augmentation)
            image, weight = as_elsewhere(image, weight, self.config.scanners)
        x = compose(image, weight, self.job.config.preprocessing)
        return x.contiguous(memory_format=torch.channels_last), target.float()

    def _unpack(self, rows: Arrays) -> Arrays:
        return unpack(rows, self.config.input_size)

    def restore(self) -> None:
        """Go on where the last checkpoint of this run was written; without one, begin."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / CHECKPOINT_FILE, map_location=self.device, weights_only=True)
        self.module.load_state_dict(state["training"])
        self.kept.load_state_dict(state["module"])
        if self.averaged is not None:
            self.averaged.n_averaged.fill_(1)  # the first update copies the weights, any later one adds them
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]
        for line in self.history:
            self.stopping.see(line["tuning_loss"])

    def report(self) -> None:
        """Hand the last line of the curve and a checkpoint to Ray Train. A barrier: every worker calls it once an epoch."""
        line = self.history[-1]
        if self.rank != 0:
            ray.train.report(line)
            return
        if self.job.events_url is not None:
            write_events(self.job.events_url, line)
        if self.job.board is not None:
            self.job.board.add.remote(line)
        with tempfile.TemporaryDirectory() as folder:
            state = {"module": self.kept.state_dict(), "training": self.module.state_dict()}  # one and the same without an average
            torch.save(state | {"optimizer": self.optimizer.state_dict(), "history": self.history}, Path(folder) / CHECKPOINT_FILE)
            ray.train.report(line, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _resized(layers: dict[str, torch.Tensor], size: int) -> dict[str, torch.Tensor]:
    """Return the layers, those that are pictures (B, 1, S, S) reduced to `size` pixels a side."""
    if layers["image"].shape[-1] == size:
        return layers
    return {
        name: F.interpolate(layer.float(), (size, size), mode="bilinear", antialias=True) if layer.dim() == 4 else layer
        for name, layer in layers.items()
    }


def _running_average(module: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential running average of a network's weights and running statistics, updated after every step."""
    return AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _settle(workers_here: int) -> None:
    """Use this worker's share of the cores (Ray sets one thread) and the same arithmetic in every run."""
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // workers_here))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # NaNs in fresh memory are for finding bugs
    keep_freed_memory()
    torch.backends.cudnn.benchmark = False


def _gather(value: Any, world: int) -> list[Any]:
    """Return every worker's value, in rank order, to every worker."""
    if world == 1:
        return [value]
    values: list[Any] = [None] * world
    dist.all_gather_object(values, value)
    return values


def _share_buffers(module: nn.Module, world: int) -> None:
    """Give every worker rank 0's running statistics: each saw other batches, and all must judge the tuning split alike."""
    if world > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)
