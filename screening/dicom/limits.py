"""What a file may cost before it is refused."""

from dataclasses import dataclass

from schemas.reasons import Reason
from screening.errors import ImageRefused


@dataclass(frozen=True)
class Limits:
    """What a file may cost before it is refused."""

    max_bytes: int = 256 << 20  # of a file, and of its data set after inflation
    max_pixels: int = 64_000_000  # rows times columns; the largest film scans have about 30 million
    max_expansion: float = 200.0  # decoded bytes per stored byte, of what decodes to more than `free_expansion_bytes`
    free_expansion_bytes: int = 32 << 20  # a blank image compresses without bound and is harmless up to here
    max_elements: int = 65_536  # data elements and items walked through in one header
    max_depth: int = 32  # sequences within sequences

    def check_expansion(self, decoded_bytes: int, stored_bytes: int) -> None:
        """Raise IMPLAUSIBLE_COMPRESSION where so few stored bytes cannot be a radiograph of that size."""
        if decoded_bytes > max(self.free_expansion_bytes, self.max_expansion * stored_bytes):
            raise ImageRefused(
                Reason.IMPLAUSIBLE_COMPRESSION,
                f"{stored_bytes} bytes would expand to more than {self.max_expansion:g} times their size",
            )
