"""Epoch lines on their way from a training worker to whoever watches, while the training goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.actor import ActorHandle

EpochLine = dict[str, Any]  # as train.loop.worker reports it
OnEpoch = Callable[[EpochLine], None]
POLL_SECONDS = 0.5


@ray.remote(num_cpus=0)
class EpochBoard:
    """Where workers leave their lines. One actor for all stages."""

    def __init__(self) -> None:
        self._lines: list[EpochLine] = []

    def add(self, line: EpochLine) -> None:
        """Keep one more line."""
        self._lines.append(line)

    def since(self, n: int) -> list[EpochLine]:
        """Return the lines after the first `n`."""
        return self._lines[n:]


@contextmanager
def watched(on_epoch: OnEpoch | None) -> Iterator[ActorHandle | None]:
    """Give a board to put lines on; each is handed to `on_epoch`, in a thread, within a second. Without `on_epoch` there is no board."""
    if on_epoch is None:
        yield None
        return
    board = EpochBoard.remote()
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(board, on_epoch, ended), name="epoch-lines", daemon=True)
    watcher.start()
    try:
        yield board
    finally:
        ended.set()
        watcher.join()
        ray.kill(board)


def _watch(board: ActorHandle, on_epoch: OnEpoch, ended: threading.Event) -> None:
    seen = 0
    while True:
        last_look = ended.wait(POLL_SECONDS)
        for line in ray.get(board.since.remote(seen)):
            seen += 1
            on_epoch(line)
        if last_look:
            return


def describe(line: EpochLine) -> str:
    """Return one line for people: `pneumonia  epoch  3/12  loss 0.312  tuning loss 0.287  auroc 0.981  212 images/s`."""
    figures = [
        f"{name.removeprefix('tuning_')} {line[name]:.3f}"
        for name in ("tuning_distillation", "tuning_dice", "tuning_auroc")
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
