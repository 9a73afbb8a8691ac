"""What a container may cost while it is listed and read.

A container says how large its names, headers and members are, and a hostile one lies. So nothing is held or unpacked because a header
asks for it: each of these numbers bounds a sum that grows with what has been done. Together they keep the listing of any one container
below about 500 MB of memory, and that of a small one below 5 seconds. The numbers for a single member are those that `screening.dicom`
sets for an image.
"""

import time
from dataclasses import dataclass

from schemas.reasons import Reason
from screening.errors import ImageRefused

MAX_NAME_BYTES = 4096  # of one member's path, as Linux has it (PATH_MAX)
MAX_HEADER_BYTES = 2**20  # of one pax header; a GNU long name may be no longer than a name

FREE_ENTRIES = 50_000  # headers of any kind: members, folders, links, long names, compressed streams
BYTES_PER_ENTRY = 256  # of the container, for every entry above those; no radiograph is so small
MAX_ENTRIES = 1_000_000
FREE_NAME_BYTES = 8 * 2**20  # of all names together; above it, a sixteenth of the container, and never more than
MAX_NAMES_BYTES = 64 * 2**20

FREE_MEMBER_BYTES = 32 * 2**20  # a blank image compresses without bound and is harmless up to here
FREE_UNPACKED_BYTES = 256 * 2**20  # the same for all members of a container together
MAX_EXPANSION = 200.0  # unpacked bytes per stored byte of a member, above those
MAX_CONTAINER_EXPANSION = 50.0  # the same of a container; uncompressed radiographs shrink to a half or a fifth
MAX_UNPACKED_BYTES = 64 * 2**30  # of temporary disk, for one compressed tar file

LISTING_SECONDS = 3.0  # of processor time, so that a busy machine refuses nothing that an idle one takes
SECONDS_PER_MIB = 0.75  # of the container, on top; bzip2, the slowest, takes a third of that

SEARCH_STEP_BYTES = 4096  # what one place that might be the next header costs, beside the bytes before it
MAX_GAP_BYTES = 2**30  # searched for the next member behind a damaged one

MAX_XZ_BYTES = 80 * 2**20  # of memory for one xz stream; `xz -9` needs 65 MiB


def implausible(member_bytes: int, stored_bytes: int) -> bool:
    """Return whether so few stored bytes cannot be a radiograph of that many."""
    return member_bytes > max(FREE_MEMBER_BYTES, MAX_EXPANSION * stored_bytes)


@dataclass
class Budget:
    """What one container of `stored_bytes` has used of its limits while it is listed.

    Each method adds to a sum. It raises ImageRefused (TOO_LARGE, IMPLAUSIBLE_COMPRESSION or DECODE_TIMEOUT) once the sum is too large.
    """

    stored_bytes: int
    entries: int = 0
    names: int = 0
    promised: int = 0
    unpacked: int = 0

    def __post_init__(self) -> None:
        self._most_entries = min(max(FREE_ENTRIES, self.stored_bytes // BYTES_PER_ENTRY), MAX_ENTRIES)
        self._most_name_bytes = min(max(FREE_NAME_BYTES, self.stored_bytes // 16), MAX_NAMES_BYTES)
        self._most_bytes = max(FREE_UNPACKED_BYTES, MAX_CONTAINER_EXPANSION * self.stored_bytes)
        self._seconds = LISTING_SECONDS + SECONDS_PER_MIB * self.stored_bytes / 2**20
        self._end = time.thread_time() + self._seconds

    def add_entry(self) -> None:
        """Count one header, of whatever kind."""
        self.entries += 1
        if self.entries > self._most_entries:
            raise ImageRefused(Reason.TOO_LARGE, f"more than {self._most_entries} headers in one container: send its files in several")
        self._look_at_the_clock()

    def add_name(self, name_bytes: int) -> None:
        """Count the name of one member."""
        self.names += name_bytes
        if self.names > self._most_name_bytes:
            raise ImageRefused(Reason.TOO_LARGE, "the names in this container are too long: give its files shorter ones")

    def add_promised(self, member_bytes: int) -> None:
        """Count what one member will hold when it is read."""
        self.promised += member_bytes
        self._check_expansion(self.promised)

    def add_unpacked(self, unpacked_bytes: int) -> None:
        """Count what was decompressed, or searched, for the sake of the listing."""
        self.unpacked += unpacked_bytes
        self._check_expansion(self.unpacked)
        if self.unpacked > MAX_UNPACKED_BYTES:
            raise ImageRefused(Reason.TOO_LARGE, f"more than {MAX_UNPACKED_BYTES >> 30} GiB unpacked: unpack the tar file first")
        self._look_at_the_clock()

    def _check_expansion(self, total: int) -> None:
        if total > self._most_bytes:
            detail = f"the container expands to more than {MAX_CONTAINER_EXPANSION:g} times its size: send its files unpacked"
            raise ImageRefused(Reason.IMPLAUSIBLE_COMPRESSION, detail)

    def _look_at_the_clock(self) -> None:
        if time.thread_time() > self._end:
            detail = f"listing this container takes longer than {self._seconds:.0f} s: send its files unpacked"
            raise ImageRefused(Reason.DECODE_TIMEOUT, detail)
