import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from train.loop.events import write_events

LINE = {"stage": "covid", "epoch": 3, "epochs": 9, "train_loss": 0.25, "tuning_loss": 0.5, "tuning_auroc": None, "images_per_second": 9.0}


def masked_crc32c(data: bytes) -> int:
    """The checksum of a TFRecord, bit by bit: CRC-32C (RFC 3720, appendix B.4), turned right by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events_of(file: Path) -> list[Event]:
    """The records of an event file: length, checksum of the length, record, checksum of the record."""
    data, events = file.read_bytes(), []
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        record, (record_crc,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert (length_crc, record_crc) == (masked_crc32c(data[:8]), masked_crc32c(record))
        events.append(Event.FromString(record))
        data = data[16 + length :]
    return events


def scalars_of(file: Path) -> dict[str, tuple[int, float]]:
    """Step and value by tag."""
    return {value.tag: (event.step, value.simple_value) for event in events_of(file) for value in event.summary.value}


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
