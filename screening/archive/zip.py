"""The directory of a zip file, and its members without one (PKWARE APPNOTE 6.3.10; clauses are given beside the fields).

Python's `zipfile` is not used: it holds the whole directory in memory, refuses all members for a fault of one, and finds none where the
directory is lost. Names are read as `zipfile` reads them, so that fsspec opens what is listed here.
"""

import struct
import zlib
from dataclasses import dataclass

from schemas.reasons import Reason
from screening.archive.limits import MAX_GAP_BYTES, SEARCH_STEP_BYTES
from screening.archive.members import STORED, Listing, Member
from screening.archive.source import BLOCK_BYTES, Source, Window
from screening.archive.unpack import FEED_BYTES, DamagedData, member_decoder, steps

LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # 4.3.7
_ENTRY = struct.Struct("<4s6H3I5H2I")  # 4.3.12
_END = struct.Struct("<4s4H2IH")  # 4.3.16
_ZIP64_END = struct.Struct("<4sQ2H2I4Q")  # 4.3.14
_ZIP64_LOCATOR = struct.Struct("<4sIQI")  # 4.3.15
LOCAL_MAGIC, _DESCRIPTOR_MAGIC = b"PK\3\4", b"PK\7\x08"
_IN_ZIP64, _IN_ZIP64_16 = 0xFFFFFFFF, 0xFFFF  # the real value is in a field of 64 bits
_ENCRYPTED, _STREAMED, _UTF_8 = 0x1, 0x8, 0x800  # general purpose bit flag (4.4.4)
_DESCRIPTOR_BYTES = 24  # at most: magic, CRC-32, two sizes of 64 bits (4.3.9)


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the entries of a directory lie, how many there should be, and what to add to their offsets."""

    start: int
    end: int
    entries: int
    base: int  # bytes that stand before the zip file proper


def walk_zip(source: Source, listing: Listing) -> None:
    """Add the members of a zip file to `listing`, and note its damage.

    Where the directory is damaged or missing, the headers before each member's data tell what can still be read.
    Raises ImageRefused where a limit is reached, and what the store raises.
    """
    window, end = Window(source), source.identity.object_bytes
    directory = _find_directory(window, end, listing)
    if directory is None or not _read_directory(window, directory, listing):
        _walk_local_headers(window, end, listing)


def _find_directory(window: Window, size: int, listing: Listing) -> _Directory | None:
    tail_start = max(0, size - BLOCK_BYTES)  # the end record, its comment, and mostly the directory, in one request
    tail = window.read(tail_start, size - tail_start)
    at = tail.rfind(b"PK\5\6", max(0, len(tail) - _END.size - 0xFFFF), max(0, len(tail) - _END.size + 4))
    if at < 0 and window.read(0, 4) == LOCAL_MAGIC:
        listing.note(Reason.TRUNCATED, "the zip file ends before its directory, so members may be lost: send it again")
        return None
    if at < 0:
        listing.note(Reason.CORRUPT, "not a zip file, or one that has lost its beginning and its end: send it again")
        return None
    _, disk, first_disk, _, entries, length, offset, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    locator_at = at - _ZIP64_LOCATOR.size
    if locator_at >= 0 and tail[locator_at : locator_at + 4] == b"PK\6\7":
        record = _zip64_end(window, tail_start + locator_at, _ZIP64_LOCATOR.unpack_from(tail, locator_at)[2])
        if record is None:
            listing.note(Reason.CORRUPT, "the zip file's end record is damaged (zip64): send it again")
            return None
        end, disk, first_disk, entries, length, offset = record
    if disk not in (0, _IN_ZIP64_16) or first_disk not in (0, _IN_ZIP64_16):
        listing.note(Reason.CORRUPT, "one part of a zip file that was split: join the parts and send the whole")
        return None
    start = end - length
    if start - offset < 0 or (entries == 0 and end > 0):
        listing.note(Reason.CORRUPT, "the zip file's end record does not say where its directory is: send it again")
        return None
    return _Directory(start, end, entries, start - offset)


def _zip64_end(window: Window, locator_at: int, claimed_at: int) -> tuple[int, ...] | None:
    """Return where the zip64 end record is, and its two disks, entries, length and offset; None where there is none.

    It is looked for directly before its locator, too, as when bytes stand before the zip file proper.
    """
    for at in (locator_at - _ZIP64_END.size, claimed_at):
        record = window.read(at, _ZIP64_END.size) if 0 <= at <= locator_at - _ZIP64_END.size else b""
        if len(record) == _ZIP64_END.size and record[:4] == b"PK\6\6":
            _, _, _, _, disk, first_disk, _, entries, length, offset = _ZIP64_END.unpack(record)
            return at, disk, first_disk, entries, length, offset
    return None


def _read_directory(window: Window, directory: _Directory, listing: Listing) -> bool:
    """Add the members of the directory; return whether it is whole and every member can be where it says."""
    at, entries, misplaced = directory.start, 0, False
    while at < directory.end:
        head = window.read(at, _ENTRY.size)
        if len(head) < _ENTRY.size or head[:4] != b"PK\1\2":
            break
        listing.budget.add_entry()
        (_, _, _, flags, method, _, _, checksum, stored, size, name_bytes, extra_bytes, comment_bytes, *_, offset) = _ENTRY.unpack(head)
        tail = window.read(at + _ENTRY.size, name_bytes + extra_bytes)
        if len(tail) < name_bytes + extra_bytes:
            break
        size, stored, offset = _zip64_values(tail[name_bytes:], [size, stored, offset])
        name = _name(tail[:name_bytes], flags)
        offset += directory.base
        misplaced |= offset + LOCAL_HEADER.size + stored > directory.start
        if not name.endswith("/"):
            listing.add(Member(name, offset, stored, size, method, checksum, bool(flags & _ENCRYPTED)))
        entries += 1
        at += _ENTRY.size + name_bytes + extra_bytes + comment_bytes
    whole = at == directory.end and entries % 2**16 == directory.entries % 2**16
    if not whole:
        listing.note(Reason.CORRUPT, "the zip file's directory is damaged, so members may be lost: send it again")
    elif misplaced:
        listing.note(Reason.CORRUPT, "the zip file's directory points outside the file: send it again")
    return whole and not misplaced


def _zip64_values(extra: bytes, values: list[int]) -> list[int]:
    """Return size, stored size and offset, of which those that are all ones stand in the zip64 extra field in that order (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            fields = extra[at + 4 : at + 4 + length]
            for i, value in enumerate(values):
                if value == _IN_ZIP64 and len(fields) >= 8:
                    values[i], fields = int.from_bytes(fields[:8], "little"), fields[8:]
            break
        at += 4 + length
    return values


def _name(name: bytes, flags: int) -> str:
    text = name.decode("utf-8", "surrogateescape") if flags & _UTF_8 else name.decode("cp437")
    return text.split("\0", 1)[0]


def _walk_local_headers(window: Window, end: int, listing: Listing) -> None:
    """Add the members whose headers stand before their data, wherever such headers are."""
    known = {member.offset: member for member in listing.members.values() if member.offset + member.stored_bytes <= end}
    trusted = {member.name for member in known.values()}
    at = _next_local_header(window, 0, end, listing)
    while at is not None:
        listing.budget.add_entry()
        head = window.read(at, LOCAL_HEADER.size)
        if len(head) < LOCAL_HEADER.size:
            return
        (_, _, flags, method, _, _, checksum, stored, size, name_bytes, extra_bytes) = LOCAL_HEADER.unpack(head)
        tail = window.read(at + LOCAL_HEADER.size, name_bytes + extra_bytes)
        data = at + LOCAL_HEADER.size + name_bytes + extra_bytes
        if at in known:
            stored = known[at].stored_bytes
        else:
            name = _name(tail[:name_bytes], flags)
            size, stored, _ = _zip64_values(tail[name_bytes:], [size, stored, 0])
            if flags & _STREAMED and not stored:
                size, stored, checksum = _measure(window, data, method if not flags & _ENCRYPTED else STORED, end, listing)
            if name not in trusted and not name.endswith("/"):
                listing.add(Member(name, at, stored, size, method, checksum, bool(flags & _ENCRYPTED)))
        # where the size makes no sense, the next header may be anywhere behind this one
        at = _next_local_header(window, data + stored if data + stored <= end else data, end, listing)


def _measure(window: Window, data: int, method: int, end: int, listing: Listing) -> tuple[int, int, int]:
    """Return size, stored size and checksum of a member that was written without knowing them: they stand behind its data (4.3.9).

    Of one that is cut off, or that cannot be unpacked, both sizes are larger than the file.
    """
    cut_off = end + 1, end + 1, 0
    decoder = member_decoder(method, listing.budget.stored_bytes)
    if decoder is None or method == STORED:
        return _find_descriptor(window, data, end, listing) or cut_off
    at, size, checksum = data, 0, 0
    while not decoder.eof and (part := window.read(at, FEED_BYTES)):
        try:
            for unpacked in steps(decoder, part):
                listing.budget.add_unpacked(len(unpacked))
                size, checksum = size + len(unpacked), zlib.crc32(unpacked, checksum)
        except DamagedData:
            return cut_off
        at += len(part) - len(decoder.unused_data)
    descriptor = window.read(at, _DESCRIPTOR_BYTES)
    if not decoder.eof or len(descriptor) < 12:
        return cut_off
    written = int.from_bytes(descriptor[4:8] if descriptor[:4] == _DESCRIPTOR_MAGIC else descriptor[:4], "little")
    return size, at - data, written


def _find_descriptor(window: Window, data: int, end: int, listing: Listing) -> tuple[int, int, int] | None:
    """Return the same of a member that is stored as it is: the first descriptor behind it that tells its own distance."""
    at = data
    while (at := _find(window, _DESCRIPTOR_MAGIC, at, end, listing)) is not None:
        descriptor = window.read(at, _DESCRIPTOR_BYTES)
        distance = at - data
        if distance in (int.from_bytes(descriptor[8:12], "little"), int.from_bytes(descriptor[8:16], "little")):
            return distance, distance, int.from_bytes(descriptor[4:8], "little")
        at += 4
    return None


def _next_local_header(window: Window, at: int, end: int, listing: Listing) -> int | None:
    return _find(window, LOCAL_MAGIC, at, end, listing)


def _find(window: Window, magic: bytes, at: int, end: int, listing: Listing) -> int | None:
    """Return where four bytes stand first, at `at` or behind it, or None."""
    if window.read(at, 4) == magic:
        return at
    gap_end = min(end, at + MAX_GAP_BYTES)
    while at < gap_end and len(block := window.read(at, FEED_BYTES)) >= 4:
        position = block.find(magic)
        listing.budget.add_unpacked(len(block) if position < 0 else position + SEARCH_STEP_BYTES)
        if position >= 0:
            return at + position
        at += len(block) - 3
    return None
