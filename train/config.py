"""What a training can be told: one small frozen dataclass a stage, one for the whole, and the presets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from schemas.bundle import STAGES, BundleManifest, Preprocessing
from screening.errors import UsageError
from screening.models.architectures import Described, size_step

PRESETS = ("small", "public", "hospitals", "photographs", "full")
GROUPS_PER_BATCH = {"lungs": 1, "pneumonia": 3, "covid": 2}
OLD_GROUPS = {"pneumonia": ("normal", "pneumonia")}  # what an earlier model of a stage knew, the old data of Eq. 2

_LAST_EPOCH = "the last epoch is one at the full input size"


@dataclass(frozen=True)
class LastLayer:
    """How the last layer of stage 2 or 3 is fitted to the training images, see train.last_layer."""

    views: Literal["exposures", "mirrored"]  # each image as it is, and brighter and darker, or as in a mirror
    penalty: float  # what half the squared coefficients weigh beside the mean cross-entropy
    balance: Literal["labels", "batches"] = "labels"  # what counts the same: both labels, or what should in a batch, see train.data.strata
    erased: float = 0.0  # what the images with their lungs erased weigh beside those with lungs alone: they are to say nothing

    def __post_init__(self) -> None:
        _check(self.views in ("exposures", "mirrored"), f"views are exposures or mirrored, not {self.views!r}")
        _check(self.balance in ("labels", "batches"), f"the balance of a last layer is labels or batches, not {self.balance!r}")
        _check(self.penalty > 0, "the penalty of the last layer must be above 0")
        _check(self.erased >= 0, "the weight of images with their lungs erased must be 0 or more")


@dataclass(frozen=True)
class StageConfig:
    """One stage's network and how it is trained."""

    architecture: str  # "unet", "densenet" or "efficientnet_lite"
    input_size: int  # pixels a side at which the network is trained and runs
    epochs: int  # passes over the largest group, at most; 0 leaves the network as it begins, and labels have its last layer alone
    batch_size: int  # images a step, over all workers
    learning_rate: float  # peak of the one-cycle schedule
    arguments: dict[str, Any] = field(default_factory=dict)  # of the architecture's constructor
    weight_decay: float = 1e-2
    patience: int = 5  # epochs without a better tuning loss before training stops
    coarse_size: int | None = None  # pixels a side of the first `coarse_epochs` epochs, to which images are reduced: they cost less
    coarse_epochs: int = 0
    augmentation: float = 1.0  # how strongly images are turned, moved, zoomed and exposed, see train.loop.augment
    scanners: float = 0.0  # how strongly images are made to look like those of other hospitals, see train.loop.scanners
    balance: Literal["label", "source"] = "label"  # what batches are drawn evenly from, see train.data.strata
    mixup: float = 0.0  # how much two images of a batch are blended: both parameters of its Beta distribution; 0 blends none
    averaging: float = 0.0  # decay, a step, of the running average of the weights that is judged and kept; 0 keeps the weights as they are
    kept_of_first: float = 0.0  # share that the weights of an earlier bundle keep in those that a training from them ends with
    last_layer: LastLayer | None = None  # how it is fitted anew to a network that began with other weights; None keeps the trained one
    begins_with: str | None = None  # earlier stage whose weights this one begins with, unless a bundle to begin from brings its own

    def __post_init__(self) -> None:
        step = size_step(self)
        _check(self.input_size >= step and self.input_size % step == 0, f"input size {self.input_size} is not a multiple of {step}")
        _check(self.epochs >= 0, "epochs must be 0 or more")
        _check(self.epochs > 0 or self.last_layer is not None, "a network that is not trained needs its last layer fitted")
        _check(self.batch_size >= 1, "batch size must be at least 1")
        _check(self.learning_rate > 0, "learning rate must be above 0")
        _check(self.patience >= 1, "patience must be at least 1")
        _check(self.augmentation >= 0, "augmentation must be 0 or more")
        _check(self.scanners >= 0, "scanners must be 0 or more")
        _check(self.balance in ("label", "source"), f"balance is label or source, not {self.balance!r}")
        _check(self.mixup >= 0, "mixup must be 0 or more")
        _check(0 <= self.averaging < 1, "averaging must be 0 or more and below 1")
        _check(0 <= self.kept_of_first < 1, "what is kept of the first weights must be 0 or more and below 1")
        _check(self.architecture != "unet" or self.last_layer is None, "a U-Net has no last layer that could be fitted anew")
        _check((self.coarse_size is None) == (self.coarse_epochs == 0), "a coarse size and coarse epochs go together")
        if self.coarse_size is not None:
            fits = step <= self.coarse_size < self.input_size and self.coarse_size % step == 0
            _check(fits, f"coarse size {self.coarse_size} is not a multiple of {step} below {self.input_size}")
            _check(self.coarse_epochs < self.epochs, f"{self.coarse_epochs} coarse epochs of {self.epochs}: {_LAST_EPOCH}")

    def with_epochs(self, epochs: int, coarse: int | None = None) -> "StageConfig":
        """Return a copy of at most `epochs` epochs, `coarse` of them coarse if it has a coarse size; None is its share.

        A network that is not trained stays so.
        """
        if not self.epochs:
            return self
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
    tuberculosis: Literal["pneumonia", "left-out"] = "pneumonia"  # what the label counts as in stages 2 and 3
    exclude_license: str | None = None  # regular expression: images whose licence it finds are not trained on
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
        _check(self.distill_weight is None or 0 <= self.distill_weight < math.inf, "--distill-weight must be 0 or more")
        for stage, groups in GROUPS_PER_BATCH.items():
            size = self.stage(stage).batch_size
            _check(size % groups == 0, f"batch size {size} of stage {stage} does not divide evenly among {groups} groups")
            source = self.stage(stage).begins_with
            earlier = STAGES[: STAGES.index(stage)]
            _check(source in (None, *earlier), f"stage {stage} cannot begin with the weights of {source!r}, which is not trained before it")
        most = math.gcd(*(self.stage(stage).batch_size // groups for stage, groups in GROUPS_PER_BATCH.items()))
        able = ", ".join(str(n) for n in range(1, most + 1) if most % n == 0)
        _check(most % self.workers == 0, f"--workers {self.workers} cannot share every batch of this --preset evenly: take {able}")

    def stage(self, name: str) -> StageConfig:
        """Return the configuration of one of the three stages."""
        return getattr(self, name)

    def rule(self, name: str) -> str:
        """Return the rule that chooses the operating point of stage "pneumonia" or "covid"."""
        return getattr(self, f"{name}_rule")

    def with_stage(self, name: str, **changes: Any) -> "FitConfig":
        """Return a copy with fields of one stage's configuration changed."""
        return replace(self, **{name: replace(self.stage(name), **changes)})

    def distilled(self, name: str, weight: float | None) -> "FitConfig":
        """Return a copy whose stage `name` is held by `weight` to the bundle it begins from (None: by nothing).

        Old and new images are then drawn evenly by label: the old data of Eq. 2 are groups of labels, whatever the hospital. And nothing
        but the weight holds it: a network that is trained has no last layer fitted after it.
        """
        if weight is None or name not in OLD_GROUPS:
            return replace(self, distill_weight=weight)
        last_layer = None if self.stage(name).epochs else self.stage(name).last_layer
        return replace(self.with_stage(name, balance="label", kept_of_first=0.0, last_layer=last_layer), distill_weight=weight)

    def with_epochs(self, epochs: int | None = None, coarse: int | None = None) -> "FitConfig":
        """Return a copy that trains every stage for at most `epochs` epochs (None: as many as before), see `StageConfig.with_epochs`."""
        for name in STAGES:
            most = epochs or self.stage(name).epochs
            fits = coarse is None or self.stage(name).coarse_size is None or coarse < most
            _check(fits, f"--coarse-epochs {coarse} must be below --epochs, which is {most} for stage {name}: {_LAST_EPOCH}")
        return replace(self, **{name: self.stage(name).with_epochs(epochs or self.stage(name).epochs, coarse) for name in STAGES})

    def to_json(self) -> dict[str, Any]:
        """Return every field as plain JSON values."""
        return asdict(self) | {"preprocessing": self.preprocessing.model_dump(mode="json")}


def preset(chosen: str, /, **overrides: Any) -> FitConfig:
    """Return preset "small" (synthetic studies), "public", "hospitals", "photographs" (both for some thousand, without a GPU) or "full".

    All but "small" have the paper's DenseNet-121: "public" at 256 pixels a side behind a narrower U-Net, "full" at 512. "hospitals" is for
    sets of several hospitals: batches are even by source and label, images are made to look like those of other scanners, and stages 2
    and 3 see the lungs brighter, dark ones most. Its stage 2 keeps half of an earlier bundle's weights, and gets a new last layer.
    "photographs" is the same, but stages 2 and 3 are an EfficientNet-Lite2 that stays as photographs taught it, shown each image in two
    sizes: labels have the last layers alone.
    `overrides` are fields of FitConfig. Raises UsageError for a preset that is none.
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
    elif chosen == "hospitals":
        densenet = {"batch_size": 24, "learning_rate": 4e-4, "weight_decay": 5e-2, "scanners": 1.0, "balance": "source"}
        densenet |= {"augmentation": 1.5, "mixup": 0.2, "averaging": 0.99}
        halfway = {"kept_of_first": 0.5, "last_layer": LastLayer("exposures", penalty=0.25)}
        config = FitConfig(
            name="hospitals",
            preprocessing=Preprocessing(gamma=0.6, lung_brightness=0.6),
            lungs=StageConfig("unet", 128, epochs=20, batch_size=16, learning_rate=2e-3, patience=20, arguments={"base_channels": 16}),
            pneumonia=StageConfig("densenet", 192, epochs=5, patience=5, coarse_size=160, coarse_epochs=4, **halfway, **densenet),
            covid=StageConfig("densenet", 192, epochs=8, patience=8, coarse_size=160, coarse_epochs=5, begins_with="pneumonia", **densenet),
        )
    elif chosen == "photographs":
        lite2 = {"width": 1.1, "depth": 1.2, "resolution": 260, "octaves": 2}
        untrained = {"arguments": lite2, "epochs": 0, "batch_size": 24, "learning_rate": 4e-4, "balance": "source"}
        pneumonia = LastLayer("mirrored", penalty=2.0, balance="batches", erased=2.0)
        covid = LastLayer("mirrored", penalty=0.1, erased=2.0)
        config = replace(
            preset("hospitals", name="photographs"),
            pneumonia=StageConfig("efficientnet_lite", 256, last_layer=pneumonia, **untrained),
            covid=StageConfig("efficientnet_lite", 256, last_layer=covid, begins_with="pneumonia", **untrained),
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


def stages_of(stage: str, init_from: str | None) -> tuple[str, ...]:
    """Return the stages that are trained. Raises UsageError for a stage that is none, or a single one without a bundle for the others."""
    if stage == "all":
        return STAGES
    _check(stage in STAGES, f"no stage {stage!r}; there are {', '.join(STAGES)} and all")
    others = " and ".join(name for name in STAGES if name != stage)
    _check(init_from is not None, f"a bundle has three stages: name one with --init-from that brings {others}, or fit all")
    return (stage,)


def check_first_weights(
    stages: Sequence[str], config: FitConfig, init_weights: str | None, earlier: BundleManifest | None, fresh: bool
) -> None:
    """Raise UsageError for --init-weights that no trained stage could begin with, and for a stage that is not trained without weights.

    `earlier` is the bundle of --init-from, `fresh` is --fresh-weights.
    """
    first = first_classifier(stages, config)
    if init_weights is not None:
        able = "--init-weights are of a DenseNet-121 or an EfficientNet-Lite: train stage pneumonia or covid, not --preset small"
        lite = first is not None and config.stage(first).architecture == "efficientnet_lite"
        _check(first is not None and (lite or not config.stage(first).arguments), able)
    networks: dict[str, Described] = dict(earlier.networks) if earlier is not None else {}
    if fresh:
        networks = {name: network for name, network in networks.items() if name not in stages}
    for name in stages:
        begins = name == first and init_weights is not None
        begins |= stage_begun_with(name, networks, config) is not None
        needs = f"stage {name} of this --preset is not trained: name --init-weights, or an --init-from that has such weights"
        _check(config.stage(name).epochs > 0 or begins, needs)
        networks[name] = config.stage(name)


def stage_begun_with(stage: str, networks: Mapping[str, Described], config: FitConfig) -> str | None:
    """Return whose weights a stage begins with, of the networks that are there: its own, or those of its configuration's `begins_with`.

    None where there are none, or where the network is another.
    """
    for source in (stage, config.stage(stage).begins_with):
        if source in networks and takes_weights_of(networks[source], config.stage(stage)):
            return source
    return None


def first_classifier(stages: Sequence[str], config: FitConfig) -> str | None:
    """Return the first of some stages that --init-weights are for: the first that is no U-Net."""
    return next((name for name in stages if config.stage(name).architecture != "unet"), None)


def takes_weights_of(old: Described, stage: StageConfig) -> bool:
    """Return whether a stage so configured can begin with an earlier network's weights. The size of its images does not matter."""
    return (old.architecture, dict(old.arguments)) == (stage.architecture, dict(stage.arguments))


def check_beginning(stage: str, config: FitConfig, earlier: BundleManifest | None, fresh: bool, old_manifest: str | None) -> None:
    """Raise UsageError for an earlier bundle that cannot be begun from, and for options that are nothing without another.

    `earlier` is the bundle of --init-from, `fresh` and `old_manifest` are --fresh-weights and --old-manifest.
    """
    distilled = config.distill_weight is not None
    if earlier is not None:
        maps = f"stage 3 is trained on class activation maps, the bundle of --init-from makes {earlier.heatmap!r}"
        _check(earlier.heatmap == "cam", maps)
    begins = not fresh or (earlier is not None and not distilled)
    _check(begins, "--fresh-weights leaves the weights of --init-from aside: name a bundle, and no --distill-weight")
    _check(distilled or old_manifest is None, "--old-manifest names the old data of --distill-weight: give a weight too")
    if not distilled:
        return
    _check(earlier is not None, "--distill-weight holds a stage to an earlier bundle: name one with --init-from")
    able = f"--distill-weight is for a single stage that has old groups ({', '.join(OLD_GROUPS)}), not for {stage}"
    _check(stage in OLD_GROUPS, able)
    _check(config.stage(stage).balance == "label", "--distill-weight needs batches that are drawn by label: take another --preset")
    old, new = earlier.networks[stage].input_size, config.stage(stage).input_size
    same = f"both networks of --distill-weight see the same image: that of --init-from takes {old} pixels a side, that of --preset {new}"
    _check(old == new, same)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(message)
