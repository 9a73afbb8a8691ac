"""What a training worker is told. Imports nothing heavy: Ray Train's controller opens it too, and trains nothing."""

from dataclasses import dataclass
from typing import Any

from train.config import FitConfig

CHECKPOINT_FILE = "state.pt"


@dataclass(frozen=True)
class Distillation:
    """The second term of Eq. 2: what holds the network to an earlier one."""

    earlier: Any  # object reference of the earlier network, a train.frozen.Frozen
    weight: float  # lambda, above 0
    sources: tuple[str, ...]  # the data sets of D_o: groups of the stage, or others beside them


@dataclass(frozen=True)
class Job:
    """One stage's training."""

    stage: str
    config: FitConfig
    steps: int  # batches an epoch
    shares: dict[str, int]  # the data sets of D, and how many images of each make a batch
    distillation: Distillation | None = None  # None is plain training
    initial: Any = None  # object reference of a state dict to begin with; None begins with fresh weights
    events_url: str | None = None  # folder of the curve's TensorBoard events
    board: Any = None  # actor that collects the epoch lines, see train.loop.progress
