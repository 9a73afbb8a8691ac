"""Reads event files as TensorBoard does, by the format's own rules: no code is shared with what writes them."""

import struct
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event


def masked_crc32c(data: bytes) -> int:
    """Return the checksum of a TFRecord, bit by bit: CRC-32C (RFC 3720, appendix B.4), turned right by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events_of(file: Path) -> list[Event]:
    """Return the records of an event file: length, checksum of the length, record, checksum of the record."""
    data, events = file.read_bytes(), []
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        record, (record_crc,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert (length_crc, record_crc) == (masked_crc32c(data[:8]), masked_crc32c(record))
        events.append(Event.FromString(record))
        data = data[16 + length :]
    return events


def scalars_of(file: Path) -> dict[str, tuple[int, float]]:
    """Return step and value by tag."""
    return {value.tag: (event.step, value.simple_value) for event in events_of(file) for value in event.summary.value}
