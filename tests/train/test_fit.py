"""Whole trainings through Ray Train, as small as they can be."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from schemas.bundle import BundleManifest
from screening.bundle.checks import verify
from screening.bundle.networks import load
from screening.cascade.cascade import Cascade
from screening.errors import TrainingError, UsageError
from tests.archives import phantom_pixels
from tests.screening.networks import small_lite
from tests.told import Told
from tests.train.event_files import scalars_of
from tests.train.radiographs import write_manifest, write_radiographs
from train.config import FitConfig, LastLayer, StageConfig, preset
from train.data.manifest import read_manifest
from train.evaluation.choices import AuditDepth
from train.evaluation.evaluate import evaluate
from train.evaluation.intervals import Resampling
from train.evaluation.page import evaluation_page
from train.fit import fit
from train.weight_forms import OWN

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]


def tiny(**overrides: Any) -> FitConfig:
    """Networks that learn nothing much in one epoch of a second."""
    densenet = {"growth_rate": 4, "block_config": [1, 1], "num_init_features": 8}
    config = FitConfig(
        name="tiny",
        lungs=StageConfig("unet", 64, epochs=1, batch_size=4, learning_rate=3e-3, arguments={"base_channels": 4, "depth": 2}),
        pneumonia=StageConfig("densenet", 64, epochs=1, batch_size=6, learning_rate=1e-3, arguments=densenet, mixup=0.4, averaging=0.5),
        covid=StageConfig("densenet", 64, epochs=1, batch_size=4, learning_rate=1e-3, arguments=densenet, begins_with="pneumonia"),
        pneumonia_rule="youden",
        covid_rule="youden",
    )
    # a U-Net after one epoch may call anything lung
    loose = config.preprocessing.model_copy(update={"min_lung_area_fraction": 0.0, "max_lung_area_fraction": 1.0})
    return dataclasses.replace(config, preprocessing=loose, **overrides)


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 synthetic radiographs: 12 to train on, 6 to tune on, 6 to test on."""
    return write_radiographs(tmp_path_factory.mktemp("set"), ["train"] * 4 + ["val"] * 2 + ["test"] * 2)


@pytest.fixture(scope="module")
def told() -> Told:
    """How far `fitted` was, step by step."""
    return Told()


@pytest.fixture(scope="module")
def fitted(radiographs: Path, told: Told, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, BundleManifest, list[dict[str, Any]]]:
    """A bundle of all three stages: its folder, its manifest and the epoch lines that were shown."""
    lines: list[dict[str, Any]] = []
    folder = tmp_path_factory.mktemp("fitted")
    config = tiny(storage_url=str(folder / "storage"))
    watch = {"on_epoch": lines.append, "on_progress": told}
    return str(folder / "bundle"), fit("all", str(radiographs), str(folder / "bundle"), config, **watch), lines


def test_a_bundle_that_verifies_and_screens(fitted: tuple) -> None:
    folder, manifest, lines = fitted
    assert verify(folder).digest() == manifest.digest()
    result = Cascade.from_bundle(folder)(np.random.default_rng(0).integers(0, 255, (2, 1, 512, 512), np.uint8))
    assert np.isfinite(result.pneumonia_logit[result.lungs_found]).all()
    assert [(line["stage"], line["epoch"]) for line in lines] == [("lungs", 1), ("pneumonia", 1), ("covid", 1)]


def test_every_step_is_told_to_its_end(fitted: tuple, told: Told) -> None:
    assert told.ended["decoding images"] == (24, 24)
    assert [told.ended[f"stage {stage}: preparing images"] for stage in ("lungs", "pneumonia", "covid")] == [(18, 18), (18, 18), (12, 12)]
    assert told.ended["operating points: judging images"] == (6, 6)
    for stage in ("lungs", "pneumonia", "covid"):
        done, total = told.ended[f"stage {stage}: training on batches"]
        assert 1 <= done <= total


def test_the_bundle_says_what_it_was_trained_on(radiographs: Path, fitted: tuple) -> None:
    _, manifest, lines = fitted
    data = manifest.training_data
    assert data["manifest_sha256"] == read_manifest(str(radiographs)).digest
    assert data["images"]["train"] == {"covid": 4, "normal": 4, "pneumonia": 4}
    assert (data["refused"], data["patients"]) == ({}, 24)
    assert [manifest.metrics["curves"][line["stage"]] for line in lines] == [[line] for line in lines]
    assert manifest.metrics["val"]["images"] == 6
    assert manifest.metrics["configuration"]["pneumonia"]["batch_size"] == 6
    for point in manifest.operating_points.values():
        assert point.rule == "youden"
        assert "split val" in point.data
    assert all(line.slope > 0 and "split val" in line.data for line in manifest.calibration.values())


def test_curves_are_drawn_in_the_bundle_and_written_for_tensorboard(fitted: tuple) -> None:
    folder, _, lines = fitted
    picture = (Path(folder) / "curves.svg").read_text()
    assert all(f"{line['stage']}: 1 epochs, least tuning loss {line['tuning_loss']:.3f} at epoch 1" in picture for line in lines)
    for line in lines:
        [file] = (Path(folder).parent / "storage" / "events").glob(f"{line['stage']}-*/events.out.tfevents.*")
        assert scalars_of(file)["loss/tuning"] == (1, pytest.approx(line["tuning_loss"]))


def test_evaluation_goes_through_the_cascade(radiographs: Path, fitted: tuple) -> None:
    told = Told()
    found = evaluate(fitted[0], str(radiographs), ["val", "test"], how=Resampling(replicates=20), on_progress=told)
    assert [step for step in told.steps if step.startswith("split test")] == [
        "split test: decoding images",
        "split test: judging images",
        "split test: figures and their intervals",
        "split test: audit with the lungs erased",
        "split test: audit of the source",
        "split test: audit with random weights",
    ]
    assert told.ended["split test: judging images"] == (6, 6)
    for stage, point in fitted[1].operating_points.items():  # chosen on what the calibrated cascade gives there
        tuned = found["splits"]["val"]["stages"][stage]
        assert (tuned["sensitivity"]["value"], tuned["specificity"]["value"]) == (point.sensitivity, point.specificity)
    figures = found["splits"]["test"]
    assert found["bundle"]["digest"] == fitted[1].digest()
    assert (figures["images"], figures["dice"]["mean"]["n"]) == (6, 6)
    assert 0 <= figures["stages"]["pneumonia"]["auroc"]["value"] <= 1
    with pytest.raises(UsageError, match="no image in split"):
        evaluate(fitted[0], str(radiographs), ["holdout"])


@pytest.mark.parametrize("depth", [AuditDepth.NONE, AuditDepth.QUICK])
def test_an_audit_can_be_left_out(radiographs: Path, fitted: tuple, depth: AuditDepth) -> None:
    told = Told()
    found = evaluate(fitted[0], str(radiographs), ["test"], how=Resampling(replicates=20), depth=depth, on_progress=told)
    audit = found["splits"]["test"]["audit"]
    assert (found["audit"], audit is None) == (str(depth), depth is AuditDepth.NONE)
    assert "split test: audit with random weights" not in told.steps
    if audit is not None:
        assert (audit["randomisation"], audit["energy"]["covid"]["share"]["n"]) == (None, 6)
    assert "Not measured" in evaluation_page(found)


@pytest.mark.slow
def test_one_stage_takes_the_others_over_and_a_seed_gives_the_same_twice(radiographs: Path, fitted: tuple, tmp_path: Path) -> None:
    """With two workers, so that the order in which they answer takes part. The second time lambda is 0: Eq. 2 is plain training then."""
    folder, manifest, _ = fitted
    config = tiny(workers=2, seed=1, storage_url=str(tmp_path / "storage"))
    plain, zero, held = (
        fit(
            "pneumonia",
            str(radiographs),
            str(tmp_path / f"bundle-{weight}"),
            dataclasses.replace(config, distill_weight=weight),
            init_from=folder,
            old_manifest=None if weight is None else str(radiographs),
        )
        for weight in (None, 0.0, 1.0)
    )
    for stage in ("lungs", "covid"):
        assert plain.networks[stage].sha256 == manifest.networks[stage].sha256
    first = manifest.networks["pneumonia"].sha256
    assert plain.networks["pneumonia"].sha256 == zero.networks["pneumonia"].sha256 != first
    assert without_speed(plain, "pneumonia") == without_speed(zero, "pneumonia")
    assert plain.training_data["init_from"]["digest"] == manifest.digest()
    assert plain.training_data["stages_trained"] == ["pneumonia"]
    assert len(list((tmp_path / "storage" / "runs").glob("pneumonia-*"))) == 3

    assert held.networks["pneumonia"].sha256 not in (first, plain.networks["pneumonia"].sha256)
    [line] = held.metrics["curves"]["pneumonia"]
    assert 0 < line["tuning_distillation"] < line["tuning_loss"]
    assert held.metrics["configuration"]["old_manifest_sha256"] == read_manifest(str(radiographs)).digest


@pytest.mark.slow
def test_what_follows_the_training_changes_nothing_but_the_last_weights(radiographs: Path, fitted: tuple, tmp_path: Path) -> None:
    folder, states = fitted[0], {"first": load(fitted[0]).networks["pneumonia"].state_dict()}
    for name, changes in (("plain", {}), ("kept", {"kept_of_first": 0.25}), ("anew", {"last_layer": LastLayer("exposures", 0.25)})):
        config = tiny(seed=1, storage_url=str(tmp_path / "storage")).with_stage("pneumonia", **changes)
        fit("pneumonia", str(radiographs), str(tmp_path / name), config, init_from=folder)
        states[name] = load(str(tmp_path / name)).networks["pneumonia"].state_dict()
    for name, value in states["kept"].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * states["first"][name] + 0.75 * states["plain"][name])
    changed = [name for name, value in states["anew"].items() if not torch.equal(value, states["plain"][name])]
    assert changed == ["head.weight", "head.bias"]
    assert len(list((tmp_path / "storage/runs").glob("pneumonia-*"))) == 1, "trained once"


def test_a_stage_that_begins_with_nothing_keeps_its_last_weights(radiographs: Path, fitted: tuple, tmp_path: Path) -> None:
    config = tiny().with_stage("pneumonia", last_layer=LastLayer("exposures", 0.25), kept_of_first=0.5)
    fit("pneumonia", str(radiographs), str(tmp_path), config, init_from=fitted[0], fresh=True)
    kept, first = (load(folder).networks["pneumonia"].state_dict() for folder in (str(tmp_path), fitted[0]))
    assert all(torch.equal(kept[name], value) for name, value in first.items())


def test_a_stage_that_is_not_trained_keeps_what_a_file_of_others_brings(radiographs: Path, fitted: tuple, tmp_path: Path) -> None:
    photographs = {"architecture": "efficientnet_lite", "arguments": {"width": 0.25, "depth": 0.25}, "epochs": 0}
    config = tiny(seed=1).with_stage("pneumonia", **photographs, last_layer=LastLayer("mirrored", 1.0))
    network = small_lite(**photographs["arguments"])
    torch.save({name: tensor for name, tensor in network.state_dict().items() if not name.startswith(OWN)}, tmp_path / "lite.pth")
    others = {"init_weights": str(tmp_path / "lite.pth"), "weights_license": "CC0-1.0"}
    made = fit("pneumonia", str(radiographs), str(tmp_path / "made"), config, init_from=fitted[0], **others)
    assert made.training_data["init_weights"]["license"] == "CC0-1.0"
    assert made.training_data["stages_trained"] == ["pneumonia"]
    assert made.metrics["curves"] == {"pneumonia": []}
    assert not (tmp_path / "made/curves.svg").exists()
    state = load(str(tmp_path / "made")).networks["pneumonia"].state_dict()
    torch.testing.assert_close(state["conv_stem.weight"], network.conv_stem.weight / 2)
    kept = {name for name, value in network.state_dict().items() if torch.equal(value, state[name])}
    changed = {name for name in state.keys() - kept if "num_batches" not in name}
    assert changed == {"conv_stem.weight", "centre", "head.weight", "head.bias"}

    again = fit("pneumonia", str(radiographs), str(tmp_path / "again"), config, init_from=str(tmp_path / "made"))
    assert again.networks["pneumonia"].sha256 == made.networks["pneumonia"].sha256, "the same weights from the bundle that has them"

    both = config.with_stage("covid", **photographs, last_layer=LastLayer("mirrored", 1.0, erased=1.0), begins_with="pneumonia")
    fit("covid", str(radiographs), str(tmp_path / "both"), both, init_from=str(tmp_path / "made"))
    third = load(str(tmp_path / "both")).networks["covid"].state_dict()
    assert {name for name in third if not torch.equal(third[name], state[name])} == {"centre", "head.weight", "head.bias"}

    held = config.distilled("pneumonia", 50.0)
    options = {"init_from": fitted[0], "old_manifest": str(radiographs), **others}
    fit("pneumonia", str(radiographs), str(tmp_path / "held"), held, **options)
    pixels = phantom_pixels(12)
    first, free, near = (Cascade.from_bundle(str(url))(pixels).pneumonia_logit for url in (fitted[0], tmp_path / "made", tmp_path / "held"))
    assert np.abs(near - first).mean() < np.abs(free - first).mean() / 2, "Eq. 2 holds the last layer to the earlier stage"
    with pytest.raises(UsageError, match="stage pneumonia of this --preset is not trained"):
        fit("pneumonia", str(radiographs), str(tmp_path), config, init_from=fitted[0])


def without_speed(manifest: BundleManifest, stage: str) -> list[dict[str, Any]]:
    """The curve of a stage, which must repeat itself to the last digit."""
    return [{name: value for name, value in line.items() if name != "images_per_second"} for line in manifest.metrics["curves"][stage]]


@pytest.mark.slow
def test_a_killed_worker_costs_at_most_an_epoch_and_changes_nothing(radiographs: Path, fitted: tuple, tmp_path: Path) -> None:
    stage = "pneumonia"
    config = tiny(storage_url=str(tmp_path / "storage"), distill_weight=1.0).with_stage(stage, epochs=4)
    killed: list[int] = []

    def kill_once(line: dict[str, Any]) -> None:
        if line["epoch"] == 2 and not killed:
            [worker] = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in p.name() + " ".join(p.cmdline())]
            killed.append(worker.pid)
            worker.kill()

    broken, whole, finished = (
        fit(stage, str(radiographs), str(tmp_path / name), config, init_from=fitted[0], on_epoch=on_epoch)
        for name, config, on_epoch in (
            ("broken", config, kill_once),
            ("whole", dataclasses.replace(config, storage_url=None), None),
            ("finished", dataclasses.replace(config, name="again"), None),
        )
    )
    assert killed
    assert without_speed(broken, stage) == without_speed(whole, stage)
    assert broken.metrics["curves"] == finished.metrics["curves"]  # also in speed: a finished training is not repeated


def test_refusals_before_any_time_is_spent(radiographs: Path, fitted: tuple, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--init-from that brings pneumonia and covid"):
        fit("lungs", str(radiographs), str(tmp_path), tiny())
    with pytest.raises(UsageError, match="no stage 'heart'"):
        fit("heart", str(radiographs), str(tmp_path), tiny())
    with pytest.raises(UsageError, match="name one with --init-from"):
        fit("all", str(radiographs), str(tmp_path), tiny(distill_weight=0.0))
    for config, stage, old, message in (
        (tiny(), "pneumonia", "labels.csv", "give a weight too"),
        (tiny(distill_weight=1.0), "covid", None, "a single stage that has old groups"),
        (preset("small", distill_weight=1.0), "pneumonia", None, "--init-from takes 64 pixels a side, that of --preset 128"),
    ):
        with pytest.raises(UsageError, match=message):
            fit(stage, str(radiographs), str(tmp_path), config, init_from=fitted[0], old_manifest=old)
    for config, earlier in ((tiny(), None), (tiny(distill_weight=1.0), fitted[0])):
        with pytest.raises(UsageError, match="--fresh-weights leaves" if earlier else "name one with --init-from"):
            fit("pneumonia", str(radiographs), str(tmp_path), config, init_from=earlier, fresh=True)
    with pytest.raises(UsageError, match="unknown rule"):
        fit("all", str(radiographs), str(tmp_path), tiny(covid_rule="best"))


def test_a_group_without_images(radiographs: Path, tmp_path: Path) -> None:
    rows = [{"image": str(radiographs.parent / f"{i}.png"), "label": "normal", "split": "train"} for i in (0, 3)]
    path = write_manifest(tmp_path / "labels.csv", rows)
    with pytest.raises(TrainingError, match="stage lungs needs 1 or more masked images in split train, there are 0"):
        fit("all", str(path), str(tmp_path / "bundle"), tiny())
    assert not (tmp_path / "bundle").exists()
