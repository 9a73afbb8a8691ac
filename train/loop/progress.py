"""Epoch lines on their way from a training worker to whoever watches, while the training goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.actor import ActorHandle

from schemas.progress import OnProgress, unwatched

EpochLine = dict[str, Any]  # as train.loop.worker reports it
OnEpoch = Callable[[EpochLine], None]
BatchCount = tuple[str, int, int]  # stage, batches done, batches of all its epochs
POLL_SECONDS = 0.5


@ray.remote(num_cpus=0)
class EpochBoard:
    """Where workers leave their lines, and how many batches they have trained on. One actor for all stages."""

    def __init__(self) -> None:
        self._lines: list[EpochLine] = []
        self._batches: BatchCount | None = None

    def add(self, line: EpochLine) -> None:
        """Keep one more line."""
        self._lines.append(line)

    def count(self, stage: str, done: int, total: int) -> None:
        """Keep how many batches of a stage are done, over all its epochs."""
        self._batches = (stage, done, total)

    def since(self, n: int) -> tuple[list[EpochLine], BatchCount | None]:
        """Return the lines after the first `n`, and the last count."""
        return self._lines[n:], self._batches


@contextmanager
def watched(on_epoch: OnEpoch | None, on_progress: OnProgress = unwatched) -> Iterator[ActorHandle | None]:
    """Give a board to put lines and counts on; they are handed on, in a thread, within a second. Where nobody watches there is no board."""
    if on_epoch is None and on_progress is unwatched:
        yield None
        return
    board = EpochBoard.remote()
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(board, on_epoch, on_progress, ended), name="epoch-lines", daemon=True)
    watcher.start()
    try:
        yield board
    finally:
        ended.set()
        watcher.join()
        ray.kill(board)


def _watch(board: ActorHandle, on_epoch: OnEpoch | None, on_progress: OnProgress, ended: threading.Event) -> None:
    seen, counted = 0, None
    while True:
        last_look = ended.wait(POLL_SECONDS)
        lines, batches = ray.get(board.since.remote(seen))
        for line in lines if on_epoch is not None else ():
            on_epoch(line)
        seen += len(lines)
        if batches not in (None, counted):
            counted = batches
            stage, done, total = batches
            on_progress(f"stage {stage}: training on batches", done, total)
        if last_look:
            return


def describe(line: EpochLine) -> str:
    """Return one line for people: `pneumonia  epoch  3/12  loss 0.312  tuning loss 0.287  auroc 0.981  212 images/s`."""
    figures = [
        f"{name.removeprefix('tuning_')} {line[name]:.3f}"
        for name in ("tuning_distillation", "tuning_dice", "tuning_auroc", "tuning_explained")
        if line.get(name) is not None
    ]
    return "  ".join(
        [
            f"{line['stage']:<9}  epoch {line['epoch']:>2}/{line['epochs']}",
            f"loss {line['train_loss']:.3f}",
            f"tuning loss {line['tuning_loss']:.3f}",
            *figures,
            f"{line['images_per_second']:.0f} images/s",
        ]
    )
