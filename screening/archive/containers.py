"""Zip and tar files in an archive: their members, and one member's bytes by one range request.

A member's URL is fsspec's chained form, `zip://<member>::<container URL>`. A container inside a container is one object like any other.
Of a name that occurs twice in a container the later one counts, as for tar and unzip. Directories, links and devices are no members.

A container comes from outside, and no byte of it may end or stall the listing of the others. There were two ways: Python's zipfile and
tarfile in a child process with limits of memory and time, or readers of our own in which nothing grows because a header asks for it.
The headers are simple and a child is not: it costs a start and a client of the store for each container, it loses all members of the
container that ends it, and zipfile and tarfile would still find no member behind the first damage. So the headers are read here
(`tar`, `zip`), within the limits of `limits`, and data go through the decoders in small steps (`unpack`).
"""

import io
import zlib
from collections.abc import Iterator

import fsspec

from schemas.reasons import Reason
from screening.archive.limits import implausible
from screening.archive.members import SPARSE, Listing, Member
from screening.archive.source import Changed, IndexedObject, Source, Window, check_size, open_source
from screening.archive.tar import walk_tar
from screening.archive.unpack import CODEC_OF_SUFFIX, DamagedData, Unpacked, feed, member_decoder, steps
from screening.archive.zip import LOCAL_HEADER, LOCAL_MAGIC, walk_zip
from screening.errors import ImageRefused

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = tuple(CODEC_OF_SUFFIX)

RANGE_BYTES = 16 * 2**20  # of one member, read at a time and held beside what it unpacks to
EXTRA_SLACK_BYTES = 256  # the extra field before the data of a zip member may be longer than the directory says
MEMBER_MEMORY_BYTES = 320  # of one remembered member, beside its name


def kind_of(name: str) -> str | None:
    """Return "zip" or "tar" for the name of a container, None for any other file."""
    lower = name.lower()
    if lower.endswith(ZIP_SUFFIXES):
        return "zip"
    return "tar" if lower.endswith(TAR_SUFFIXES) else None


def list_members(fs: fsspec.AbstractFileSystem, path: str, listed: IndexedObject) -> tuple[list[Member], ImageRefused | None]:
    """Return the members of the container that was `listed`, sorted by name, and what is wrong with it, or None.

    Members that the damage spares are still in the list. Raises Changed, or what the store raises.
    """
    listing, _ = _list(open_source(fs, path, listed), path, keep=False)
    return listing.sorted(), listing.damage


def _list(source: Source, path: str, *, keep: bool) -> tuple[Listing, Unpacked | None]:
    """Return what is known of a container, and with `keep` a compressed tar file unpacked on disk."""
    size = source.identity.object_bytes
    codec = _codec_of(path)
    listing = Listing(size, None if codec else size)
    unpacked = Unpacked(source, codec, listing.budget, keep=keep) if codec else None
    try:
        if size == 0:
            listing.note(Reason.TRUNCATED, "an empty file: send it again")
        elif kind_of(path) == "zip":
            walk_zip(source, listing)
        elif unpacked is None:
            walk_tar(Window(source).read, listing)
        else:
            walk_tar(unpacked.read, listing)
            unpacked.finish()
            listing.damage = unpacked.damage or listing.damage
    except ImageRefused as refusal:
        listing.damage = refusal  # a limit, which ended the walk: it explains more than earlier damage
    return listing, unpacked


def _codec_of(path: str) -> str | None:
    """Return how a tar file is compressed, None for a plain one and for a zip file."""
    lower = path.lower()
    return next((codec for suffix, codec in CODEC_OF_SUFFIX.items() if lower.endswith(suffix)), None)


class Container:
    """A container whose headers have been read once, and a compressed tar file also unpacked once. Threads may share it."""

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str):
        """Read the headers. Raises Changed when the container changes meanwhile, or what the store raises."""
        self._source = open_source(fs, path)
        self._is_zip = kind_of(path) == "zip"
        listing, self._unpacked = _list(self._source, path, keep=True)
        self._members, self._damage = listing.members, listing.damage
        self.memory_bytes = sum(MEMBER_MEMORY_BYTES + len(name) for name in self._members)

    @property
    def uses_disk(self) -> bool:
        """Whether the container holds a temporary file."""
        return self._unpacked is not None

    def refuse(self, expected: IndexedObject | None) -> ImageRefused:
        """Return why the container's own row has no image. Raises Changed when it is not the one that was indexed."""
        self._check(expected, self._source.identity)
        if self._damage is not None:
            return ImageRefused(self._damage.reason, self._damage.detail)
        if not self._members:
            return ImageRefused(Reason.NOT_DICOM, "an intact container without any file in it")
        detail = "the container could not be listed when the archive was indexed, and can be now: index the archive again"
        return ImageRefused(Reason.READ_FAILED, detail)

    def read(self, name: str, max_bytes: int, expected: IndexedObject | None) -> bytes:
        """Return the bytes of one member.

        Raises ImageRefused (why it cannot be read), KeyError where there is none of that name, Changed when the container or the
        member is not the one that was indexed, or what the store raises.
        """
        if expected is not None and not expected.object_etag.startswith(f"{self._source.identity.object_etag}-"):
            raise Changed
        if name not in self._members:
            raise KeyError if self._damage is None else self.refuse(None)
        member = self._members[name]
        self._check(expected, IndexedObject(member.bytes, f"{self._source.identity.object_etag}-{member.etag}"))
        check_size(member.bytes, max_bytes)
        return self._read_zip(member) if self._is_zip else self._read_tar(member)

    @staticmethod
    def _check(expected: IndexedObject | None, actual: IndexedObject) -> None:
        if expected is not None and expected != actual:
            raise Changed

    def _read_tar(self, member: Member) -> bytes:
        if member.method == SPARSE:
            raise ImageRefused(Reason.CORRUPT, "a tar member with holes is not read: pack it again without --sparse")
        if self._unpacked is None:
            data = self._source.read(member.offset, member.bytes)
        else:
            _check_expansion(member.bytes, self._source.identity.object_bytes)
            data = self._unpacked.kept_range(member.offset, member.bytes)
        if len(data) < member.bytes:
            raise ImageRefused(Reason.TRUNCATED, "the tar file ends before this member does: send it again")
        return data

    def _read_zip(self, member: Member) -> bytes:
        if member.encrypted:
            raise ImageRefused(Reason.CORRUPT, "the zip member is encrypted: unpack it with its password first")
        decoder = member_decoder(member.method, member.bytes)
        if decoder is None:
            detail = f"the zip member is compressed by method {member.method}, which is not read here: pack it again with deflate"
            raise ImageRefused(Reason.CORRUPT, detail)
        _check_expansion(member.bytes, member.stored_bytes)
        data = io.BytesIO()
        try:
            for part in self._stored_parts(member):
                if decoder.eof:
                    break
                for unpacked in steps(decoder, part):
                    data.write(unpacked)
                    if data.tell() > member.bytes:
                        raise ImageRefused(Reason.CORRUPT, "the zip member holds more than the directory says: send the file again")
        except DamagedData as error:
            raise ImageRefused(Reason.CORRUPT, f"the zip member's data are damaged ({error}): send the file again") from error
        if data.tell() < member.bytes or zlib.crc32(data.getbuffer()) != member.checksum:
            raise ImageRefused(Reason.CORRUPT, "the zip member's data do not match its size or checksum: send the file again")
        return data.getvalue()

    def _stored_parts(self, member: Member) -> Iterator[bytes]:
        """Yield a zip member's data as stored. Header and data come in one request, unless the data are many or the header is long."""
        name_bytes = len(member.name.encode("utf-8", "surrogateescape"))
        slack = LOCAL_HEADER.size + name_bytes + EXTRA_SLACK_BYTES
        block = self._source.read(member.offset, slack + min(member.stored_bytes, RANGE_BYTES))
        if len(block) < LOCAL_HEADER.size or block[:4] != LOCAL_MAGIC:
            raise ImageRefused(Reason.CORRUPT, "the zip directory points at something that is no member: send the file again")
        *_, name_bytes, extra_bytes = LOCAL_HEADER.unpack_from(block)
        at = member.offset + LOCAL_HEADER.size + name_bytes + extra_bytes
        end = at + member.stored_bytes
        block = block[at - member.offset : end - member.offset]
        while block or at < end:
            if not block and not (block := self._source.read(at, min(end - at, RANGE_BYTES))):
                raise ImageRefused(Reason.TRUNCATED, "the zip file ends before this member does: send it again")
            at += len(block)
            yield from feed(block)
            block = b""


def _check_expansion(member_bytes: int, stored_bytes: int) -> None:
    if implausible(member_bytes, stored_bytes):
        detail = f"{stored_bytes} stored bytes would expand to {member_bytes}, which no radiograph does"
        raise ImageRefused(Reason.IMPLAUSIBLE_COMPRESSION, detail)
