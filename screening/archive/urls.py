"""The URLs of objects: how a name stands in one, and how a member of a container is named."""

import re


def escape(name: str) -> str:
    """Return a name as it stands in an object's URL.

    `::` chains URLs in fsspec and has no escape there; bytes that are no UTF-8 have no place in a Parquet string. Both, and only
    what would be mistaken for them, are percent-encoded: other names, with spaces, `#`, `?`, `%20` or accents, stay as they are.
    """
    name = re.sub(r"%(?=25|3A|[89A-F][0-9A-F])", "%25", name)
    name = re.sub(r":(?=:|$)", "%3A", name)
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", name)


def unescape(name: str) -> str:
    """Return the name that `escape` was given."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code if code < 0x80 else 0xDC00 + code)

    return re.sub(r"%(25|3A|[89A-F][0-9A-F])", character, name)


def split_member(object_url: str) -> tuple[str | None, str]:
    """Return a member's name and its container's URL, or None and the URL of a plain object; both unescaped."""
    match = re.match(r"(?:zip|tar)://(.*?)::(.*)", object_url, re.DOTALL)
    return (unescape(match[1]), unescape(match[2])) if match else (None, unescape(object_url))
