"""A file that names the bundle in use, so that a server can be given another one while it runs.

A server that follows such a file loads what it names beside the bundle in use and changes over between two requests. Who may write the
file decides which bundle answers.
"""

from pydantic import ValidationError

from schemas.bundle import FrozenModel
from screening.errors import BundleError
from screening.storage import join, put_atomic, read_bytes

SUFFIX = ".json"


class BundlePointer(FrozenModel):
    """The content of the file. A relative `bundle_url` starts at the folder that holds the file."""

    bundle_url: str


def is_pointer(url: str) -> bool:
    """Return whether a URL names a file that names a bundle, and not a bundle's folder."""
    return url.endswith(SUFFIX)


def bundle_in_use(url: str) -> str:
    """Return the URL of a bundle's folder: `url` itself, or what the file at `url` names. Raises BundleError."""
    if not is_pointer(url):
        return url
    try:
        named = BundlePointer.model_validate_json(read_bytes(url)).bundle_url
    except FileNotFoundError:
        raise BundleError(f'{url} does not exist: give a bundle\'s folder, or a file with {{"bundle_url": …}}') from None
    except ValidationError:
        raise BundleError(f'{url} names no bundle: it holds one line, {{"bundle_url": …}}') from None
    return named if "://" in named or named.startswith("/") else join(url.rpartition("/")[0] or ".", named)


def point_to(url: str, bundle_url: str) -> None:
    """Write the file anew, in one step."""
    put_atomic(url, BundlePointer(bundle_url=bundle_url).model_dump_json().encode())
