from pathlib import Path

import pytest

from tests.train.event_files import events_of, masked_crc32c, scalars_of
from train.loop.events import write_events

LINE = {"stage": "covid", "epoch": 3, "epochs": 9, "train_loss": 0.25, "tuning_loss": 0.5, "tuning_auroc": None, "images_per_second": 9.0}


def test_the_checksum_is_that_of_the_format() -> None:
    crc = (masked_crc32c(b"123456789") - 0xA282EAD8) & 0xFFFFFFFF
    assert (crc << 15 | crc >> 17) & 0xFFFFFFFF == 0xE3069283  # the check value of CRC-32C


def test_an_epoch_is_a_file_of_events(tmp_path: Path) -> None:
    for epoch in (3, 10):
        write_events(str(tmp_path / "run"), LINE | {"epoch": epoch})
    files = sorted((tmp_path / "run").iterdir())
    assert [file.name for file in files] == ["events.out.tfevents.0000000003.covid", "events.out.tfevents.0000000010.covid"]
    assert events_of(files[0])[0].file_version == "brain.Event:2"
    assert scalars_of(files[0]) == {"loss/train": (3, 0.25), "loss/tuning": (3, 0.5), "speed/images_per_second": (3, 9.0)}


def test_an_epoch_written_again_replaces_itself(tmp_path: Path) -> None:
    for loss in (0.5, 0.75):
        write_events(str(tmp_path), LINE | {"train_loss": loss})
    [file] = tmp_path.iterdir()
    assert scalars_of(file)["loss/train"] == (3, pytest.approx(0.75))
