"""Decompression in small steps, so that no stream can unpack more at once than the next step holds."""

import bz2
import lzma
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from schemas.reasons import Reason
from screening.archive.limits import MAX_XZ_BYTES, Budget
from screening.archive.members import BZIP2, DEFLATED, LZMA, STORED
from screening.archive.source import Source, range_of
from screening.errors import ImageRefused

FEED_BYTES = 32 * 2**10  # given to a decoder at a time; what follows the end of a stream is copied, so it must be little
STEP_BYTES = 64 * 2**10  # taken from a decoder at a time; where zlib meets damage, a step is lost with it
BLOCK_BYTES = 8 * 2**20  # read ahead of a compressed tar file, which has to be read in order

CODEC_OF_SUFFIX = {
    ".tar": None, ".tar.gz": "gzip", ".tgz": "gzip",
    ".tar.bz2": "bzip2", ".tbz2": "bzip2", ".tbz": "bzip2", ".tar.xz": "xz", ".txz": "xz",
}  # fmt: skip

_CODEC_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)  # bz2 raises OSError for damaged data


class DamagedData(Exception):
    """Compressed data that no decoder accepts."""


class Decoder(Protocol):
    """What bz2 and lzma call a decompressor; zlib gets the same face below."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes."""


def steps(decoder: Decoder, data: bytes) -> Iterator[bytes]:
    """Yield what `decoder` makes of `data`, STEP_BYTES at most at a time. Raises DamagedData."""
    more = True
    while more:
        try:
            unpacked = decoder.decompress(data, STEP_BYTES)
        except _CODEC_ERRORS as error:
            raise DamagedData(str(error)) from error
        data = b""
        more = bool(unpacked) and not decoder.eof and not decoder.needs_input
        if unpacked:
            yield unpacked


def feed(block: bytes) -> Iterator[bytes]:
    """Yield a block in parts that are small enough for a decoder."""
    view = memoryview(block)
    for start in range(0, len(block), FEED_BYTES):
        yield bytes(view[start : start + FEED_BYTES])


class _Zlib:
    """A zlib decoder that keeps the input it has not used yet, as those of bz2 and lzma do."""

    def __init__(self, window_bits: int):
        self._decoder = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        unpacked = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        self.needs_input = len(unpacked) < max_length
        return unpacked


class _ZipLzma:
    """A decoder of zip's LZMA data: version, length and value of the properties, then the raw stream (APPNOTE 5.8.8)."""

    def __init__(self, member_bytes: int):
        self._member_bytes = member_bytes
        self._head = b""
        self._decoder: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._decoder is not None and self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return self._decoder is None or self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        return b"" if self._decoder is None else self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._decoder is None:
            self._head += data
            if len(self._head) < 9:
                return b""
            self._decoder, data = self._started(), self._head[9:]
        return self._decoder.decompress(data, max_length)

    def _started(self) -> lzma.LZMADecompressor:
        if self._head[2:4] != b"\5\0" or self._head[4] >= 9 * 5 * 5:
            raise ValueError("LZMA properties out of range")
        position_and_literal, lc = divmod(self._head[4], 9)
        pb, lp = divmod(position_and_literal, 5)
        claimed = int.from_bytes(self._head[5:9], "little")
        dict_size = min(claimed, max(self._member_bytes, 4096))  # no distance reaches further back than the data do
        return lzma.LZMADecompressor(
            lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": dict_size, "lc": lc, "lp": lp, "pb": pb}]
        )


class _Copy:
    """Stands for a decoder of data that are stored as they are."""

    eof, needs_input, unused_data = False, True, b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return data


def member_decoder(method: int, member_bytes: int) -> Decoder | None:
    """Return a decoder for one zip member that is to hold `member_bytes`, None for a method that is not read here."""
    if method == STORED:
        return _Copy()
    if method == DEFLATED:
        return _Zlib(-zlib.MAX_WBITS)
    if method == BZIP2:
        return bz2.BZ2Decompressor()
    return _ZipLzma(member_bytes) if method == LZMA else None


def _stream_decoder(codec: str) -> Decoder:
    if codec == "gzip":
        return _Zlib(zlib.MAX_WBITS | 16)
    return bz2.BZ2Decompressor() if codec == "bzip2" else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_BYTES)


def _unpacked(parts: Iterable[bytes], codec: str, budget: Budget) -> Iterator[bytes]:
    """Yield what is in one or more streams in a row (RFC 1952, 2.2), padded with zeros or not.

    Raises ImageRefused: TRUNCATED where the last stream does not end, CORRUPT, or what the budget says.
    """
    decoder: Decoder | None = None
    first = True
    for part in parts:
        while part:
            if decoder is None:
                part = part if first else part.lstrip(b"\0")
                if not part:
                    break
                budget.add_entry()
                decoder, first = _stream_decoder(codec), False
            try:
                for unpacked in steps(decoder, part):
                    budget.add_unpacked(len(unpacked))
                    yield unpacked
            except DamagedData as error:
                raise ImageRefused(Reason.CORRUPT, f"the {codec} data of the tar file are damaged ({error}): send it again") from error
            part = decoder.unused_data if decoder.eof else b""
            decoder = None if decoder.eof else decoder
    if first or decoder is not None:
        raise ImageRefused(Reason.TRUNCATED, f"the {codec} data of the tar file end too early: send it again")


class Unpacked:
    """A compressed tar file, as far as it has been unpacked: at once to read forward, or kept in an unnamed temporary file.

    `damage` says why it ends where it does, if that is not its end. Not thread-safe, except for `kept_range`.
    """

    def __init__(self, source: Source, codec: str, budget: Budget, *, keep: bool):
        self.damage: ImageRefused | None = None
        self._pieces = _unpacked(_parts(source), codec, budget)
        self._end = 0
        self._held, self._held_from = bytearray(), 0
        self._file = tempfile.TemporaryFile(prefix="screening-") if keep else None  # noqa: SIM115  (lives as long as this object)

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`, fewer at the end. `start` never decreases from call to call.

        Raises what the store raises.
        """
        while self._end < start + size and self._unpack_more(start):
            pass
        self._forget(start)
        at = start - self._held_from
        return bytes(self._held[at : at + size])

    def finish(self) -> None:
        """Unpack the rest, so that a damaged checksum at the end of a stream is noticed."""
        while self._unpack_more(self._end):
            pass

    def kept_range(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start` of what has been kept, fewer at its end."""
        self._file.flush()
        return range_of(self._file.fileno(), start, max(0, min(size, self._end - start)))

    def _unpack_more(self, needed_from: int) -> bool:
        try:
            piece = next(self._pieces, b"")
        except ImageRefused as damage:
            self.damage, piece = damage, b""
        if self._file is not None:
            self._file.write(piece)
        self._held += piece
        self._end += len(piece)
        self._forget(needed_from)
        return bool(piece)

    def _forget(self, before: int) -> None:
        cut = min(max(0, before - self._held_from), len(self._held))
        del self._held[:cut]
        self._held_from += cut

    def __del__(self) -> None:  # not before: another thread may still read from a container that the reader has let go
        if getattr(self, "_file", None) is not None:
            self._file.close()


def _parts(source: Source) -> Iterator[bytes]:
    start = 0
    while block := source.read(start, BLOCK_BYTES):
        start += len(block)
        yield from feed(block)
