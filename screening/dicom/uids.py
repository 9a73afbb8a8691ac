"""Names that always give the same identifier: UIDs of written files, and the seeds of what is drawn for them."""

import hashlib
import uuid

_NAMESPACE = uuid.UUID("6f3d2a52-6a0c-5c54-9d3f-0d6f0a3c1b7e")


def uid_of(*names: object) -> str:
    """Return the UID that `names` always give: 2.25 and a UUID made from them (PS3.5 section B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(map(str, names))).int}"


def seed_of(*names: object) -> int:
    """Return 63 bits that `names` always give."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, names)).encode()).digest()[:8]) >> 1
