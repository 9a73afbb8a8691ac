"""Curves for TensorBoard: one small event file an epoch, so that any object store will do and a resumed training repeats none.

TensorBoard reads the files of a folder in the order of their names and goes on to the next when it appears, while the training runs.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from screening.storage import join, put_atomic

TAGS = {
    "train_loss": "loss/train",
    "tuning_loss": "loss/tuning",
    "tuning_distillation": "loss/tuning_distillation",
    "tuning_dice": "tuning/dice",
    "tuning_auroc": "tuning/auroc",
    "tuning_explained": "tuning/explained",
    "images_per_second": "speed/images_per_second",
}


def write_events(folder_url: str, line: Mapping[str, Any]) -> None:
    """Write one epoch line of train.loop.worker as a TensorBoard event file below `folder_url`; what is null has no event."""
    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            for name, tag in TAGS.items():
                if line.get(name) is not None:
                    writer.add_scalar(tag, line[name], line["epoch"])
        [written] = Path(folder).iterdir()
        # ".tfevents." is what TensorBoard looks for; the same epoch written again replaces itself
        put_atomic(join(folder_url, f"events.out.tfevents.{line['epoch']:010d}.{line['stage']}"), written.read_bytes())
