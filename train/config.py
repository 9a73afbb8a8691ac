"""What a training can be told: one small frozen dataclass a stage, one for the whole, and three presets."""

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from schemas.bundle import STAGES, Preprocessing
from screening.errors import UsageError

PRESETS = ("small", "public", "full")


@dataclass(frozen=True)
class StageConfig:
    """One stage's network and how it is trained."""

    architecture: str  # "unet" or "densenet"
    input_size: int  # pixels a side at which the network is trained and runs
    epochs: int  # passes over the largest group, at most
    batch_size: int  # images a step, over all workers
    learning_rate: float  # peak of the one-cycle schedule
    arguments: dict[str, Any] = field(default_factory=dict)  # of the architecture's constructor
    weight_decay: float = 1e-2
    patience: int = 5  # epochs without a better tuning loss before training stops
    coarse_size: int | None = None  # pixels a side of the first `coarse_epochs` epochs, to which images are reduced: they cost less
    coarse_epochs: int = 0
    augmentation: float = 1.0  # how strongly images are turned, moved, zoomed and exposed, see train.loop.augment
    mixup: float = 0.0  # how much two images of a batch are blended: both parameters of its Beta distribution; 0 blends none
    averaging: float = 0.0  # decay, a step, of the running average of the weights that is judged and kept; 0 keeps the weights as they are
    begins_with: str | None = None  # earlier stage whose weights this one begins with, unless a bundle to begin from brings its own

    def __post_init__(self) -> None:
        _check(self.input_size >= 32 and self.input_size % 32 == 0, f"input size {self.input_size} is not a multiple of 32")
        _check(self.epochs >= 1, "epochs must be at least 1")
        _check(self.batch_size >= 1, "batch size must be at least 1")
        _check(self.learning_rate > 0, "learning rate must be above 0")
        _check(self.patience >= 1, "patience must be at least 1")
        _check(self.augmentation >= 0, "augmentation must be 0 or more")
        _check(self.mixup >= 0, "mixup must be 0 or more")
        _check(0 <= self.averaging < 1, "averaging must be 0 or more and below 1")
        _check((self.coarse_size is None) == (self.coarse_epochs == 0), "a coarse size and coarse epochs go together")
        if self.coarse_size is not None:
            fits = 32 <= self.coarse_size < self.input_size and self.coarse_size % 32 == 0
            _check(fits, f"coarse size {self.coarse_size} is not a multiple of 32 below {self.input_size}")
            _check(self.coarse_epochs < self.epochs, "the last epoch must be one at the full input size")

    def with_epochs(self, epochs: int, coarse: int | None = None) -> "StageConfig":
        """Return a copy of at most `epochs` epochs, `coarse` of them coarse if it has a coarse size; None is its share."""
        if coarse is None or self.coarse_size is None:
            coarse = self.coarse_epochs * epochs // self.epochs
        return replace(self, epochs=epochs, coarse_epochs=coarse, coarse_size=self.coarse_size if coarse else None)

    def training_size(self, epoch: int) -> int:
        """Return the pixels a side at which `epoch` (from 0) trains."""
        return self.coarse_size if self.coarse_size is not None and epoch < self.coarse_epochs else self.input_size


@dataclass(frozen=True)
class FitConfig:
    """All three stages. The resolved configuration is saved in the bundle beside the weights it made."""

    name: str  # of the bundle
    lungs: StageConfig
    pneumonia: StageConfig
    covid: StageConfig
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    pneumonia_rule: str = "sensitivity>=0.90"  # how the operating points are chosen, see train.release.operating_points
    covid_rule: str = "sensitivity>=0.90"
    distill_weight: float | None = None  # lambda of Eq. 2, how strongly stage 2 is held to the bundle it begins from; None is not at all
    old_manifest_sha256: str | None = None  # of the old data's own manifest, filled in when it is read
    seed: int = 0
    workers: int = 1  # Ray Train workers, one process each
    use_gpu: bool = False  # one GPU a worker, NCCL; otherwise CPUs and gloo
    decoders: int = 2  # decoding tasks at a time
    max_failures: int = 2  # worker groups that may die before the job fails; each starts again at the last checkpoint
    materialize_bytes: int = 512 * 2**20  # a stage's inputs up to this size stay in the object store; larger ones are streamed
    storage_url: str | None = None  # where caches and checkpoints go, so that a killed job goes on; None is a temporary folder
    license: str = ""

    def __post_init__(self) -> None:
        _check(self.workers >= 1, "--workers must be at least 1")
        _check(self.decoders >= 1, "decoders must be at least 1")
        _check(self.distill_weight is None or 0 <= self.distill_weight < math.inf, "the distillation weight must be 0 or more")
        for stage, groups in (("lungs", 1), ("pneumonia", 3), ("covid", 2)):
            size = self.stage(stage).batch_size
            even = f"batch size {size} of stage {stage} does not divide evenly among {groups} groups and {self.workers} workers"
            _check(size % (groups * self.workers) == 0, even)
            source = self.stage(stage).begins_with
            earlier = STAGES[: STAGES.index(stage)]
            _check(source in (None, *earlier), f"stage {stage} cannot begin with the weights of {source!r}, which is not trained before it")

    def stage(self, name: str) -> StageConfig:
        """Return the configuration of one of the three stages."""
        return getattr(self, name)

    def rule(self, name: str) -> str:
        """Return the rule that chooses the operating point of stage "pneumonia" or "covid"."""
        return getattr(self, f"{name}_rule")

    def with_epochs(self, epochs: int | None = None, coarse: int | None = None) -> "FitConfig":
        """Return a copy that trains every stage for at most `epochs` epochs (None: as many as before), see `StageConfig.with_epochs`."""
        return replace(self, **{name: self.stage(name).with_epochs(epochs or self.stage(name).epochs, coarse) for name in STAGES})

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON values."""
        return asdict(self) | {"preprocessing": self.preprocessing.model_dump(mode="json")}


def preset(chosen: str, /, **overrides: Any) -> FitConfig:
    """Return preset "small" (synthetic studies), "public" (about a thousand radiographs, without a GPU) or "full". Raises UsageError.

    "public" and "full" have the paper's DenseNet-121, "public" at 256 pixels a side behind a narrower U-Net, "full" at 512.
    `overrides` are fields of FitConfig.
    """
    if chosen == "small":
        # three blocks: the heatmap is 8 x 8 at 128 pixels, with a fourth it would be 4 x 4
        densenet = {"growth_rate": 8, "block_config": [2, 4, 4], "num_init_features": 16}
        config = FitConfig(
            name="synthetic-small",
            lungs=StageConfig("unet", 128, epochs=4, batch_size=16, learning_rate=3e-3, arguments={"base_channels": 8, "depth": 4}),
            pneumonia=StageConfig("densenet", 128, epochs=16, batch_size=24, learning_rate=3e-3, arguments=densenet, patience=16),
            covid=StageConfig("densenet", 128, epochs=16, batch_size=24, learning_rate=3e-3, arguments=densenet, patience=16),
            pneumonia_rule="youden",
            covid_rule="youden",
        )
    elif chosen == "public":
        densenet = {"batch_size": 24, "learning_rate": 1e-3, "weight_decay": 5e-2, "coarse_size": 160}
        densenet |= {"augmentation": 1.5, "mixup": 0.2, "averaging": 0.99}
        config = FitConfig(
            name="public",
            lungs=StageConfig("unet", 256, epochs=24, batch_size=16, learning_rate=2e-3, patience=24, arguments={"base_channels": 16}),
            pneumonia=StageConfig("densenet", 256, epochs=40, patience=40, coarse_epochs=22, **densenet),
            covid=StageConfig("densenet", 256, epochs=24, patience=24, coarse_epochs=12, begins_with="pneumonia", **densenet),
        )
    elif chosen == "full":
        config = FitConfig(
            name="full",
            lungs=StageConfig("unet", 256, epochs=40, batch_size=16, learning_rate=1e-3, patience=8),
            pneumonia=StageConfig("densenet", 512, epochs=30, batch_size=24, learning_rate=3e-4, patience=6),
            covid=StageConfig("densenet", 512, epochs=30, batch_size=24, learning_rate=3e-4, patience=6),
        )
    else:
        raise UsageError(f"no preset {chosen!r}; there are {', '.join(PRESETS)}")
    return replace(config, **overrides)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)
