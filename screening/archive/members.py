"""What is known of a container while its headers are walked: its members, what is wrong with it, and what it has cost."""

from dataclasses import dataclass

from schemas.reasons import Reason
from screening.archive.limits import MAX_NAME_BYTES, Budget, implausible
from screening.errors import ImageRefused

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14  # compression methods of a zip member (APPNOTE 4.4.5); a tar member is stored
SPARSE = -1  # stands for a method: a tar member with holes

_LARGEST_SIZE = 2**63 - 1  # of the column object_bytes


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a container."""

    name: str
    offset: int  # bytes; of the local header in a zip file, of the data in a tar file (uncompressed)
    stored_bytes: int
    bytes: int
    method: int = STORED
    checksum: int | None = None  # CRC-32 of the data; tar has none
    encrypted: bool = False

    @property
    def etag(self) -> str:
        """What tells this member from another of the same name in the same container."""
        return f"{self.offset:x}" if self.checksum is None else f"{self.offset:x}-{self.checksum:08x}"


class Listing:
    """The members of a container of `stored_bytes`, by name, and the first damage that was met, or None.

    `extent` is where the offsets of members must end, None where that is not known before.
    """

    def __init__(self, stored_bytes: int, extent: int | None):
        self._extent = extent
        self.members: dict[str, Member] = {}
        self.damage: ImageRefused | None = None
        self.budget = Budget(stored_bytes)

    def add(self, member: Member) -> None:
        """Keep a member. Of one that no row can name the container's own row tells. Raises ImageRefused where a limit is reached."""
        name_bytes = len(member.name.encode("utf-8", "surrogateescape"))
        if not member.name:
            self.note(Reason.CORRUPT, "a member has no name: pack the files again")
        elif name_bytes > MAX_NAME_BYTES:
            self.note(Reason.CORRUPT, f"a member's name has more than {MAX_NAME_BYTES} bytes: give it a shorter one and pack it again")
        elif not 0 <= member.bytes <= _LARGEST_SIZE:
            self.note(Reason.CORRUPT, "a member's size is impossible: send the file again")
        else:
            self.budget.add_name(name_bytes)
            if self._is_readable(member):
                self.budget.add_promised(member.bytes)
            self.members[member.name] = member

    def _is_readable(self, member: Member) -> bool:
        """Return whether the reader will try to unpack a member: others are refused unread, and cost nothing."""
        inside = self._extent is None or member.offset + member.stored_bytes <= self._extent
        return inside and not implausible(member.bytes, min(member.stored_bytes, self.budget.stored_bytes))

    def note(self, reason: Reason, detail: str) -> None:
        """Remember what is wrong with the container; the walk goes on. Only the first damage is kept, for it explains the others."""
        if self.damage is None:
            self.damage = ImageRefused(reason, detail)

    def sorted(self) -> list[Member]:
        """Return the members in the order of their names."""
        return [self.members[name] for name in sorted(self.members)]
