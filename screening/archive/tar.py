"""The headers of a tar file, read one by one (POSIX.1-2017 pax, "ustar Interchange Format", and the GNU tar manual, "Basic Tar Format").

Python's `tarfile` is not used: it reads a long name or pax header of any size into memory, follows sizes below zero back to where it
came from, and takes a damaged header for the end. Names are composed as `tarfile` does, so that fsspec opens what is listed here.
"""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.reasons import Reason
from screening.archive.limits import MAX_GAP_BYTES, MAX_HEADER_BYTES, MAX_NAME_BYTES
from screening.archive.members import SPARSE, STORED, Listing, Member

BLOCK = 512
_WINDOW = 512 * BLOCK

_REGULAR = b"0\0007"  # 7 is a contiguous file; a header of before 1988 has NUL
_LINK, _SPARSE, _LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"1", b"S", b"L", b"K", b"xX", b"g"
_WITHOUT_DATA = b"123456"  # links, devices, folders, pipes
_NO_FILES = b"DVN"  # GNU: contents of a folder, label of a volume, old names
_SPARSE_KEYS = {"GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major"}
_PAX_KEYS = {"path", "linkpath", "size", "GNU.sparse.name", "GNU.sparse.realsize", *_SPARSE_KEYS}

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class _Header:
    """One block of 512 bytes whose checksum is right."""

    kind: bytes
    name: str
    link: str
    size: int  # bytes of data behind the header, below zero where the field makes no sense
    block: bytes


@dataclass(slots=True)
class _Announced:
    """What headers before a member's own say of it; a name that is too long is kept as one that `Listing.add` refuses."""

    name: str | None = None
    link: str | None = None
    pax: dict[str, str] = field(default_factory=dict)


def walk_tar(read: Read, listing: Listing) -> None:
    """Add the members of a tar file to `listing`, and note its damage; behind a damaged header the walk goes on at the next good one.

    `read(start, size)` gives fewer bytes where the file ends. Raises ImageRefused where a limit is reached, and what `read` raises.
    """
    at: int | None = 0
    announced, pax_global = _Announced(), dict[str, str]()
    while at is not None:
        block = read(at, BLOCK)
        if len(block) < BLOCK:
            listing.note(Reason.TRUNCATED, "the tar file ends without its end mark, so members may be lost: send it again")
            return
        if not any(block):  # two such blocks are the end; one is enough, as for tar
            return
        listing.budget.add_entry()
        header = _parse(block)
        if header is None or header.size < 0:
            damage = "the tar file has a damaged header" if at else "not a tar file, or its first header is damaged"
            listing.note(Reason.CORRUPT, f"{damage}, so members may be lost: send it again")
            at, announced = _next_header(read, at + BLOCK, listing), _Announced()
        elif header.kind in _PAX or header.kind in (_PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
            _read_announcement(read, at + BLOCK, header, announced, pax_global, listing)
            at += BLOCK + _padded(header.size)
        else:
            at = _add_member(read, at + BLOCK, header, announced, pax_global, listing)
            announced = _Announced()


def _parse(block: bytes) -> _Header | None:
    """Return a header, or None where the checksum is wrong. Old tars summed signed bytes."""
    checksum = _number(block[148:156])
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if checksum != total and checksum != total - 256 * sum(byte > 127 for byte in block[:148] + block[156:]):
        return None
    size = _number(block[124:136])
    kind = block[156:157]
    name, prefix = _text(block[:100]), _text(block[345:500])
    if prefix and kind not in (_SPARSE, _LONG_NAME, _LONG_LINK):
        name = f"{prefix}/{name}"
    return _Header(kind, name, _text(block[157:257]), -1 if size is None else size, block)


def _number(digits: bytes) -> int | None:
    """Return a number field: octal digits, or base 256 where its first bit is set; None where it is neither."""
    if digits[0] in (0x80, 0xFF):
        value = int.from_bytes(digits[1:], "big")
        return value if digits[0] == 0x80 else value - 256 ** (len(digits) - 1)
    digits = digits.split(b"\0", 1)[0].strip(b" ")
    try:
        return int(digits or b"0", 8) if digits.isdigit() or not digits else None
    except ValueError:  # an 8 or a 9
        return None


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _read_announcement(read: Read, at: int, header: _Header, announced: _Announced, pax_global: dict[str, str], listing: Listing) -> None:
    """Take in a GNU long name or a pax header, whose data begin at `at`. One that is too large is never read."""
    if header.kind in (_LONG_NAME, _LONG_LINK):
        name = "?" * (MAX_NAME_BYTES + 1) if header.size > MAX_NAME_BYTES + 1 else _text(read(at, header.size))
        if header.kind == _LONG_NAME:
            announced.name = name
        else:
            announced.link = name
        return
    pax = announced.pax if header.kind in _PAX else pax_global
    if header.size > MAX_HEADER_BYTES:
        listing.note(Reason.TOO_LARGE, f"a pax header has more than {MAX_HEADER_BYTES >> 10} KiB: pack the files again without it")
    elif not _read_records(read(at, header.size), pax):
        listing.note(Reason.CORRUPT, "the tar file has a damaged pax header: send it again")


def _read_records(data: bytes, pax: dict[str, str]) -> bool:
    """Put the records that matter here into `pax`, and return whether all are well formed: "length key=value", line feed."""
    at = 0
    while at < len(data) and data[at]:
        space = data.find(b" ", at, at + 20)
        if space < 0 or not data[at:space].isdigit():
            return False
        end = at + int(data[at:space])
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
            return False
        if (name := key.decode("utf-8", "replace")) in _PAX_KEYS:
            pax[name] = value.decode("utf-8", "surrogateescape")
        at = end
    return True


def _add_member(read: Read, at: int, header: _Header, announced: _Announced, pax_global: dict[str, str], listing: Listing) -> int | None:
    """Add the file of a header whose data begin at `at`, if it is one, and return where the next header begins."""
    pax = pax_global | announced.pax
    name = pax.get("GNU.sparse.name", pax.get("path", announced.name if announced.name is not None else header.name))
    size = _pax_number(pax["size"]) if "size" in pax else header.size
    if size is None:
        listing.note(Reason.CORRUPT, "the tar file has a member of impossible size, so members may be lost: send it again")
        return _next_header(read, at, listing)
    name = name.split("\0", 1)[0].rstrip("/" if "path" in pax else "")
    if header.kind == _LINK:
        target = listing.members.get(pax.get("linkpath", announced.link if announced.link is not None else header.link))
        if target is None:
            listing.note(Reason.CORRUPT, "the tar file has a hard link to a member that is not before it: send it again")
        else:  # the same data under a second name
            listing.add(dataclasses.replace(target, name=name))
    elif header.kind == _SPARSE:
        at = _after_sparse_map(read, at, header.block[482:483], listing)
        real = _number(header.block[483:495])
        listing.add(Member(name, at, size, -1 if real is None else real, SPARSE))
    elif header.kind in _REGULAR and not (header.kind == b"\0" and header.name.endswith("/")):
        if pax.keys() & _SPARSE_KEYS:
            real = _pax_number(pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size", "")))
            listing.add(Member(name, at, size, -1 if real is None else real, SPARSE))
        else:
            listing.add(Member(name, at, size, size, STORED))
    elif header.kind not in _WITHOUT_DATA and header.kind not in _NO_FILES:
        listing.note(Reason.CORRUPT, "the tar file has an entry of a kind that is not read here: pack the files again with --format=pax")
    return at if header.kind in _WITHOUT_DATA else at + _padded(size)


def _pax_number(digits: str) -> int | None:
    return int(digits) if re.fullmatch(r"[0-9]{1,19}", digits) else None


def _after_sparse_map(read: Read, at: int, more: bytes, listing: Listing) -> int:
    """Return where the data of an old GNU sparse member begin: behind the blocks that continue its map of holes."""
    while more != b"\0":
        block = read(at, BLOCK)
        if len(block) < BLOCK:
            break
        listing.budget.add_entry()
        at, more = at + BLOCK, block[504:505]
    return at


def _next_header(read: Read, at: int, listing: Listing) -> int | None:
    """Return where the next good header with the magic "ustar" begins, at `at` or behind it, or None."""
    end = at + MAX_GAP_BYTES
    while at < end and len(window := read(at, _WINDOW)) >= BLOCK:
        listing.budget.add_unpacked(len(window))
        for start in range(0, len(window) - BLOCK + 1, BLOCK):
            if window[start + 257 : start + 262] == b"ustar":
                listing.budget.add_entry()
                header = _parse(window[start : start + BLOCK])
                if header is not None and header.size >= 0:
                    return at + start
        at += len(window) // BLOCK * BLOCK
    return None
