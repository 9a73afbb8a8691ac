import csv
import dataclasses
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch

from screening.benchmark.random_bundle import save_random_bundle
from screening.errors import UsageError
from screening.models.efficientnet import EfficientNetLite
from tests.archives import phantom_pixels
from tests.train.radiographs import write_manifest, write_radiographs
from train.config import FitConfig, LastLayer, preset
from train.crossval import CROSSVAL_FILE, both_classes, cross_validate, has_seen
from train.data.manifest import read_manifest
from train.evaluation.intervals import Resampling

HOW = Resampling(replicates=20)


def rows(source: str, counts: dict[str, int], split: str = "train", first: int = 0) -> list[dict[str, object]]:
    labels = [label for label, n in counts.items() for _ in range(n)]
    return [
        {"image": f"{source}-{split}-{i}.png", "label": label, "split": split, "source": source, "patient_id": f"{source}-{first + i}"}
        for i, label in enumerate(labels)
    ]


def test_only_sources_with_enough_of_both_classes_can_be_left_out(tmp_path: Path) -> None:
    listed = [
        *rows("large", {"normal": 30, "pneumonia": 20}),
        *rows("small", {"normal": 10, "tuberculosis": 10}),
        *rows("well", {"normal": 40, "covid": 9}),
        *rows("tested", {"normal": 40, "covid": 40}, split="test"),
    ]
    manifest = read_manifest(str(write_manifest(tmp_path / "labels.csv", listed)))
    assert both_classes(manifest, "pneumonia") == ["large", "small"]
    with pytest.raises(UsageError, match="no source has 10 images of each class"):
        cross_validate("covid", manifest, str(tmp_path), preset("small"), "nowhere")
    with pytest.raises(UsageError, match="--source well: sources with 10 images of each class are large, small"):
        cross_validate("pneumonia", manifest, str(tmp_path), preset("small"), "nowhere", sources=["well"])


def test_weights_have_seen_a_source_that_no_record_rules_out() -> None:
    before = {"sources": {"east": 3}}
    after = {"sources": {"west": 2}, "init_from": {"training_data": before}}
    assert [has_seen(after, source) for source in ("east", "west", "north")] == [True, True, False]
    assert has_seen({}, "north"), "a bundle that says nothing"
    assert has_seen(after | {"init_from": {"training_data": {}}}, "north")


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hospitals with ten well and twenty ill people each, one of them in both, and a test split."""
    path = write_radiographs(tmp_path_factory.mktemp("set"), ["train"] * 8 + ["val"] * 2 + ["train"] * 8 + ["val"] * 2 + ["test"])
    with path.open(newline="") as file:
        listed = [row | {"source": "east" if i < 30 else "west"} for i, row in enumerate(csv.DictReader(file))]
    listed[31]["patient_id"] = listed[1]["patient_id"]
    return write_manifest(path, listed)


@pytest.fixture(scope="module")
def config() -> FitConfig:
    tiny = {"growth_rate": 4, "block_config": [1, 1], "num_init_features": 8}
    config = dataclasses.replace(preset("small"), name="crossval")
    return config.with_stage("pneumonia", input_size=64, epochs=1, arguments=tiny, balance="source", scanners=0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_each_hospital_is_judged_by_a_network_that_has_not_seen_it(hospitals: Path, config: FitConfig, tmp_path: Path) -> None:
    save_random_bundle(str(tmp_path / "first"), phantom_pixels(4))
    manifest, lines = read_manifest(str(hospitals)), []
    options = {"how": HOW, "on_epoch": lines.append}
    found = cross_validate("pneumonia", manifest, str(tmp_path / "out"), config, str(tmp_path / "first"), **options)
    assert json.loads((tmp_path / "out" / CROSSVAL_FILE).read_text()) == json.loads(json.dumps(found))
    assert [(fold["source"], fold["positives"], fold["negatives"]) for fold in found["folds"]] == [("east", 19, 10), ("west", 19, 10)]
    for fold in found["folds"]:
        folder = tmp_path / "out" / f"without-{fold['source']}"
        made = json.loads((folder / "bundle/bundle.json").read_text())
        assert list(made["training_data"]["sources"]) == ["east", "west"]
        table = pl.read_csv(folder / "manifest.csv")
        assert table.filter(pl.col("source") == fold["source"])["split"].unique().to_list() == ["test"]
        assert table.filter((pl.col("split") == "test") & (pl.col("source") != fold["source"])).is_empty()
        seen = set(table.filter(pl.col("split") != "test")["patient_id"])
        assert not seen & set(table.filter(pl.col("split") == "test")["patient_id"])
        assert 0 <= fold["lungs_erased"]["value"] <= 1
    assert found["least_auroc"] == min(fold["auroc"]["value"] for fold in found["folds"])

    trained = len(lines)
    again = cross_validate("pneumonia", manifest, str(tmp_path / "out"), config, str(tmp_path / "first"), **options)
    assert again == json.loads(json.dumps(found))
    assert len(lines) == trained, "a finished fold was trained again"

    assert [fold["fresh_weights"] for fold in found["folds"]] == [True, True], "a random bundle does not say what it has seen"

    elsewhere = shutil.copytree(tmp_path / "out/without-east/bundle", tmp_path / "elsewhere")
    record = json.loads((elsewhere / "bundle.json").read_text())
    (elsewhere / "bundle.json").write_text(json.dumps(record | {"training_data": {"sources": {"north": 3}}}))
    [begun] = cross_validate("pneumonia", manifest, str(tmp_path / "out"), config, str(elsewhere), sources=["east"], **options)["folds"]
    made = json.loads((tmp_path / "out/without-east/bundle/bundle.json").read_text())
    assert (begun["fresh_weights"], made["training_data"]["init_from"]["fresh_weights"]) == (False, False)
    assert len(lines) == trained + 1, "a fold behind other lungs was taken for this one"

    photographs = {"architecture": "efficientnet_lite", "arguments": {"width": 0.25, "depth": 0.25}, "epochs": 0}
    config = config.with_stage("pneumonia", **photographs, last_layer=LastLayer("mirrored", 1.0))
    torch.save(EfficientNetLite(**photographs["arguments"]).state_dict(), tmp_path / "lite.pth")
    options |= {"sources": ["east"], "init_weights": str(tmp_path / "lite.pth")}
    untrained = [cross_validate("pneumonia", manifest, str(tmp_path / "out"), config, str(elsewhere), **options) for _ in range(2)]
    assert [found["init_weights"]["file"] for found in untrained] == ["lite.pth"] * 2
    assert untrained[0]["folds"] == json.loads(json.dumps(untrained[1]["folds"]))
    assert len(lines) == trained + 1, "what is not trained has no epochs"
