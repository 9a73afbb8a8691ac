"""Decompression in steps: what the libraries themselves give, never more than a step at once, and damage by name."""

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening import storage
from screening.archive.limits import Budget
from screening.archive.members import BZIP2, DEFLATED, LZMA, STORED
from screening.archive.source import open_source
from screening.archive.unpack import FEED_BYTES, STEP_BYTES, DamagedData, Unpacked, feed, member_decoder, steps

DATA = random.Random(1).randbytes(300_000) + bytes(3_000_000)
CODECS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def unpacked_of(tmp_path: Path, data: bytes, codec: str, *, keep: bool) -> Unpacked:
    (tmp_path / "a").write_bytes(data)
    source = open_source(*storage.filesystem_of(str(tmp_path / "a")))
    return Unpacked(source, codec, Budget(len(data)), keep=keep)


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def zip_lzma(data: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 2**16, "lc": 3, "lp": 0, "pb": 2}]
    return b"\x09\x04\5\0\x5d" + (2**16).to_bytes(4, "little") + lzma.compress(data, lzma.FORMAT_RAW, filters=filters)


@pytest.mark.parametrize(
    ("method", "pack"),
    [(STORED, bytes), (DEFLATED, raw_deflate), (BZIP2, bz2.compress), (LZMA, zip_lzma)],
    ids=["stored", "deflate", "bz2", "lzma"],
)
def test_a_member_comes_in_steps(method: int, pack: Callable[[bytes], bytes]) -> None:
    decoder = member_decoder(method, len(DATA))
    pieces = [piece for part in feed(pack(DATA)) for piece in steps(decoder, part)]
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) <= max(STEP_BYTES, FEED_BYTES)
    assert decoder.eof == (method != STORED)


@pytest.mark.parametrize("method", [DEFLATED, BZIP2, LZMA])
def test_noise_is_damage(method: int) -> None:
    noise = b"\xff" * 100
    with pytest.raises(DamagedData):
        list(steps(member_decoder(method, 100), noise))


def test_a_dictionary_larger_than_the_member_takes_no_memory() -> None:
    data = bytearray(zip_lzma(b"x" * 100))
    data[5:9] = b"\xff" * 4
    assert b"".join(steps(member_decoder(LZMA, 100), bytes(data))) == b"x" * 100


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("codec", CODECS)
def test_streams_are_read_forward(tmp_path: Path, codec: str, keep: bool) -> None:
    packed = CODECS[codec](DATA[:1000]) + bytes(512) + CODECS[codec](DATA[1000:])
    unpacked = unpacked_of(tmp_path, packed, codec, keep=keep)
    assert unpacked.read(990, 20) == DATA[990:1010]
    assert unpacked.read(1000, 5) == DATA[1000:1005]
    assert unpacked.read(290_000, 15_000) == DATA[290_000:305_000]
    unpacked.finish()
    assert unpacked.damage is None
    if keep:
        assert unpacked.kept_range(0, len(DATA) + 9) == DATA


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-1], Reason.TRUNCATED),
        (lambda data: data + b"no stream begins so", Reason.CORRUPT),
        (lambda data: b"nor here" + data, Reason.CORRUPT),
    ],
    ids=["cut off", "something behind it", "something before it"],
)
@pytest.mark.parametrize("codec", CODECS)
def test_damaged_streams(tmp_path: Path, codec: str, spoil: Callable[[bytes], bytes], reason: Reason) -> None:
    unpacked = unpacked_of(tmp_path, spoil(CODECS[codec](DATA)), codec, keep=False)
    unpacked.finish()
    assert unpacked.damage.reason == reason


def test_many_tiny_streams_take_time_in_proportion(tmp_path: Path) -> None:
    unpacked = unpacked_of(tmp_path, gzip.compress(b"") * 100_000, "gzip", keep=False)
    unpacked.finish()
    assert unpacked.damage.reason == Reason.TOO_LARGE
