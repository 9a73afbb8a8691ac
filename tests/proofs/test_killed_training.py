"""A training whose program was killed, as a program of its own, with its storage on S3."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.bundle import Preprocessing
from screening.bundle.checks import load_manifest
from screening.bundle.networks import NetworkSpec
from screening.storage import list_files
from tests.screening.networks import small_unet
from tests.train.radiographs import write_radiographs
from train.config import preset
from train.frozen import FrozenStages, save_provisional


@pytest.fixture
def begin_with(tmp_path: Path) -> str:
    """A bundle to begin from, for which every image has lungs."""
    config = dataclasses.replace(preset("small"), preprocessing=Preprocessing(max_lung_area_fraction=1, min_lung_area_fraction=0))
    lungs = FrozenStages(NetworkSpec("unet", 64, {"base_channels": 4, "depth": 3}), small_unet().state_dict())
    return save_provisional(str(tmp_path / "earlier"), {"lungs": lungs}, config)


class Fit:
    """`screening fit lungs` over one data set, three epochs."""

    def __init__(self, folder: Path, earlier: str):
        self.manifest = write_radiographs(folder / "set", ["train"] * 4 + ["val"] * 2)
        self.earlier = earlier

    def run(self, output: str, storage: str, *, killed_after: int | None = None) -> list[str]:
        """Train, or kill the program when it has shown an epoch; return the epochs that it showed, as `2/3`."""
        command = [sys.executable, "-m", "jobs.cli", "fit", "lungs", str(self.manifest), "--output", output, "--storage", storage]
        command += ["--preset", "small", "--epochs", "3", "--init-from", self.earlier]
        environment = os.environ | {"COLUMNS": "200"}
        epochs, words = [], []
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment) as program:
            for line in program.stderr:
                words.append(line)
                if line.startswith("lungs "):
                    epochs.append(line.split()[2])
                if len(epochs) == killed_after:
                    program.send_signal(signal.SIGKILL)
                    break
        assert program.returncode == (0 if killed_after is None else -signal.SIGKILL), "".join(words)
        return epochs


def curve(bundle: str) -> list[dict[str, Any]]:
    return [line | {"images_per_second": None} for line in load_manifest(bundle).metrics["curves"]["lungs"]]


@pytest.mark.slow
def test_a_killed_training_goes_on_at_its_last_epoch_from_s3(begin_with: str, s3_bucket: str, tmp_path: Path) -> None:
    fit = Fit(tmp_path, begin_with)
    whole, broken, storage = str(tmp_path / "whole"), f"{s3_bucket}/bundle", f"{s3_bucket}/storage"
    assert fit.run(whole, str(tmp_path / "storage")) == ["1/3", "2/3", "3/3"]
    assert fit.run(broken, storage, killed_after=2) == ["1/3", "2/3"]
    assert "1/3" not in fit.run(broken, storage)
    assert curve(broken) == curve(whole)
    assert load_manifest(broken).networks["lungs"].sha256 == load_manifest(whole).networks["lungs"].sha256
    events = [url for url in list_files(f"{storage}/events") if "tfevents" in url]
    assert len(events) == 3
