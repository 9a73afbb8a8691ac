"""What Ray Train calls in each worker."""

from typing import Any

from train.loop.job import Job


def train_worker(loop_config: dict[str, Job]) -> list[dict[str, Any]]:
    """Do the job in this process and return its curve."""
    from train.loop.worker import train

    return train(loop_config["job"])
