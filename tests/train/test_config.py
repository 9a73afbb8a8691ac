import dataclasses
import json

import pytest

from schemas.bundle import BundleManifest, Network, OperatingPoint
from screening.bundle.networks import NetworkSpec
from screening.errors import UsageError
from screening.models.architectures import ARCHITECTURES_OF_STAGE
from screening.models.build import build
from train.config import PRESETS, LastLayer, StageConfig, check_beginning, check_first_weights, preset


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_networks_that_can_be_built(name: str) -> None:
    config = preset(name)
    for stage, architectures in ARCHITECTURES_OF_STAGE.items():
        chosen = config.stage(stage)
        assert chosen.architecture in architectures
        build(NetworkSpec(chosen.architecture, chosen.input_size, chosen.arguments))


def test_full_is_the_papers() -> None:
    config = preset("full")
    assert (config.lungs.input_size, config.pneumonia.input_size, config.covid.input_size) == (256, 512, 512)
    assert config.pneumonia.arguments == {}  # the constructor's defaults are DenseNet-121


def test_overrides_and_epochs() -> None:
    config = preset("small", seed=7, workers=2).with_epochs(1)
    assert (config.seed, config.workers) == (7, 2)
    assert {config.lungs.epochs, config.pneumonia.epochs, config.covid.epochs} == {1}


def test_distillation_draws_that_stage_alone_by_label() -> None:
    hospitals = preset("hospitals")
    assert hospitals.distilled("pneumonia", None) == hospitals
    held = hospitals.distilled("pneumonia", 0.0)
    assert (held.distill_weight, held.pneumonia.balance, held.covid.balance) == (0.0, "label", "source")
    assert (hospitals.pneumonia.kept_of_first, held.pneumonia.kept_of_first) == (0.5, 0.0)
    assert hospitals.pneumonia.last_layer is not None
    assert held.pneumonia.last_layer is None
    assert hospitals.distilled("covid", 1.0) == preset("hospitals", distill_weight=1.0)  # which check_beginning refuses


@pytest.mark.parametrize("name", PRESETS)
def test_is_plain_json(name: str) -> None:
    config = preset(name)
    assert json.loads(json.dumps(config.to_json()))["covid"]["batch_size"] == config.covid.batch_size


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("lungs", {"input_size": 100}, "multiple of 32"),
        ("covid", {"architecture": "efficientnet_lite", "arguments": {"octaves": 2}, "input_size": 96}, "multiple of 64"),
        ("covid", {"epochs": -1}, "epochs"),
        ("covid", {"epochs": 0}, "a network that is not trained needs its last layer fitted"),
        ("covid", {"learning_rate": 0.0}, "learning rate"),
        ("pneumonia", {"batch_size": 16}, "3 groups"),
        ("covid", {"batch_size": 3}, "2 groups"),
        ("covid", {"mixup": -0.1}, "mixup"),
        ("covid", {"averaging": 1.0}, "averaging"),
        ("pneumonia", {"kept_of_first": 1.0}, "first weights"),
        ("lungs", {"last_layer": LastLayer("mirrored", 1.0)}, "a U-Net has no last layer"),
        ("pneumonia", {"begins_with": "covid"}, "not trained before it"),
    ],
)
def test_contradictions_fail_in_the_constructor(stage: str, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(preset("small"), **{stage: dataclasses.replace(preset("small").stage(stage), **changes)})


def test_unknown_presets_and_workers() -> None:
    with pytest.raises(UsageError, match="small, public, hospitals, photographs, full"):
        preset("medium")
    with pytest.raises(UsageError, match="workers"):
        preset("small", workers=0)
    with pytest.raises(UsageError, match="--workers 3 cannot share every batch of this --preset evenly: take 1, 2, 4"):
        preset("small", workers=3)


def test_what_photographs_taught_is_not_trained_whatever_the_epochs() -> None:
    config = preset("photographs").with_epochs(7)
    assert (config.lungs.epochs, config.pneumonia.epochs, config.covid.epochs) == (7, 0, 0)
    with pytest.raises(UsageError, match="views are"):
        LastLayer("twice", 1.0)
    with pytest.raises(UsageError, match="balance"):
        LastLayer("mirrored", 1.0, "people")
    with pytest.raises(UsageError, match="penalty"):
        LastLayer("mirrored", 0.0)
    with pytest.raises(UsageError, match="lungs erased"):
        LastLayer("mirrored", 1.0, erased=-1.0)


def manifest_of(**networks: tuple[str, dict]) -> BundleManifest:
    """What the checks read of a bundle with those networks."""
    described = {
        stage: Network(architecture=name, arguments=arguments, input_size=64, file="a.safetensors", sha256="0" * 64)
        for stage, (name, arguments) in networks.items()
    }
    point = OperatingPoint(threshold=0.5, rule="", data="")
    return BundleManifest(name="earlier", networks=described, operating_points={"pneumonia": point, "covid": point})


def test_a_stage_that_is_not_trained_needs_weights() -> None:
    config = preset("photographs")
    lite2 = ("efficientnet_lite", config.pneumonia.arguments)
    lite = manifest_of(pneumonia=lite2, covid=("densenet", {}), lungs=("unet", {}))
    dense = manifest_of(pneumonia=("densenet", {}), covid=("densenet", {}), lungs=("unet", {}))
    for stages, file, earlier, fresh in (
        (("pneumonia",), "lite2.pth", dense, False),
        (("pneumonia",), None, lite, False),
        (("lungs", "pneumonia", "covid"), "lite2.pth", None, False),
        (("covid",), None, lite, False),
        (("covid",), None, lite, True),
        (("covid",), "lite2.pth", dense, False),
        (("pneumonia", "covid"), None, lite, False),
    ):
        check_first_weights(stages, config, file, earlier, fresh)
    for earlier, fresh in ((dense, False), (lite, True), (None, False)):
        with pytest.raises(UsageError, match="stage pneumonia of this --preset is not trained: name --init-weights"):
            check_first_weights(("pneumonia",), config, None, earlier, fresh)
    with pytest.raises(UsageError, match="stage covid of this --preset is not trained"):
        check_first_weights(("covid",), config, None, dense, False)
    with pytest.raises(UsageError, match="--init-weights are of a DenseNet-121 or an EfficientNet-Lite"):
        check_first_weights(("pneumonia",), preset("small"), "densenet.pth", dense, False)


def test_eq_2_holds_a_last_layer_too() -> None:
    config = preset("photographs").distilled("pneumonia", 1.0)
    assert config.pneumonia.last_layer == preset("photographs").pneumonia.last_layer
    dense = manifest_of(pneumonia=("densenet", {}), covid=("densenet", {}), lungs=("unet", {}))
    with pytest.raises(UsageError, match="that of --init-from takes 64 pixels a side, that of --preset 256"):
        check_beginning("pneumonia", config, dense, False, None)
    check_beginning("pneumonia", config.with_stage("pneumonia", input_size=64), dense, False, None)


def test_coarse_epochs_come_first_and_keep_their_share() -> None:
    stage = StageConfig("densenet", 256, epochs=30, batch_size=24, learning_rate=1e-3, coarse_size=160, coarse_epochs=20)
    assert [stage.training_size(epoch) for epoch in (0, 19, 20, 29)] == [160, 160, 256, 256]
    assert stage.with_epochs(3).coarse_epochs == 2
    assert stage.with_epochs(1).coarse_size is None
    assert stage.with_epochs(6, coarse=0).training_size(0) == 256
    assert stage.with_epochs(6, coarse=5).training_size(4) == 160
    assert preset("small").with_epochs(coarse=3) == preset("small")
    assert preset("public").with_epochs() == preset("public")


@pytest.mark.parametrize(
    ("epochs", "coarse", "message"),
    [
        (9, 9, "--coarse-epochs 9 must be below --epochs, which is 9 for stage pneumonia: the last epoch is one at the full input size"),
        (None, 30, "--coarse-epochs 30 must be below --epochs, which is 24 for stage covid"),
    ],
)
def test_coarse_epochs_leave_one_at_the_full_size(epochs: int | None, coarse: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        preset("public").with_epochs(epochs, coarse)


@pytest.mark.parametrize(
    "wrong",
    [{"coarse_size": 160}, {"coarse_epochs": 2}, {"coarse_size": 256, "coarse_epochs": 2}, {"coarse_size": 160, "coarse_epochs": 30}],
)
def test_coarse_epochs_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        StageConfig("densenet", 256, epochs=30, batch_size=24, learning_rate=1e-3, **wrong)
