"""A file that names the bundle in use and its operating points, so that a server can be given others while it runs.

A server that follows such a file loads what it names beside the bundle in use and changes over between two requests. Who may write the
file decides which bundle answers, and at which thresholds.
"""

from pydantic import Field, ValidationError

from schemas.bundle import DIGEST_LENGTH, BundleManifest, Overrides
from screening.bundle.checks import digest12, faults_of, load_manifest
from screening.bundle.operating_points import check, load
from screening.errors import BundleError, UsageError
from screening.storage import join, put_atomic, read_bytes

SUFFIX = ".json"


class BundlePointer(Overrides):
    """The content of the file: a bundle's folder, and what judges in the place of the bundle's own operating points.

    A relative `bundle_url` starts at the folder that holds the file. With a `bundle_digest`, no other bundle that is put into that folder
    answers at these operating points, which were chosen on the scores of the first one.
    """

    bundle_url: str
    bundle_digest: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="of the bundle with these operating points")

    def manifest(self) -> BundleManifest:
        """Return the bundle's manifest with these operating points, whose digest its answers bear.

        Raises BundleError where the bundle in the folder is another one than the file names, or cannot be read.
        """
        manifest = self.applied(load_manifest(self.bundle_url))
        self.check(manifest)
        return manifest

    def check(self, manifest: BundleManifest) -> None:
        """Raise BundleError where a bundle, with these operating points, has another digest than the file says."""
        if self.bundle_digest not in (None, manifest.digest()):
            digests = f"{digest12(manifest)}, not {self.bundle_digest[:DIGEST_LENGTH]}"
            raise BundleError(
                f"{self.bundle_url} is another bundle than the file says that names it ({digests}, with these operating points): put that "
                "one back, or register and promote this one with --pointer"
            )


def is_pointer(url: str) -> bool:
    """Return whether a URL names a file that names a bundle, and not a bundle's folder."""
    return url.endswith(SUFFIX)


def bundle_in_use(url: str, operating_points: str | None = None) -> BundlePointer:
    """Return what answers: a bundle, by the whole URL of its folder, and what judges in the place of its own operating points.

    url: a bundle's folder, or the file that names one.
    operating_points: URL of a file that `screening thresholds --save` wrote for the bundle in that folder; None for the bundle's own.
    Raises BundleError where nothing names a bundle, UsageError where the operating points cannot be read or are for another bundle, and
    where they are given beside a file that names a bundle, because that file holds them.
    """
    if is_pointer(url):
        if operating_points is not None:
            remedy = "let `screening bundle promote --pointer` write them there"
            raise UsageError(f"{operating_points}: {url} names the bundle and holds its operating points, too: {remedy}")
        return _read(url)
    if operating_points is None:
        return BundlePointer(bundle_url=url)
    return BundlePointer(bundle_url=url, **dict(check(load(operating_points), load_manifest(url).digest())))


def point_to(url: str, pointer: BundlePointer) -> None:
    """Write the file anew, in one step."""
    put_atomic(url, pointer.model_dump_json(exclude_defaults=True).encode())


def _read(url: str) -> BundlePointer:
    """Return what the file holds, with the whole URL of the folder."""
    holds = '{"bundle_url": …}'
    try:
        pointer = BundlePointer.model_validate_json(read_bytes(url))
    except FileNotFoundError:
        raise BundleError(f"{url} does not exist: give a bundle's folder, or a file with {holds}") from None
    except ValidationError as error:
        raise BundleError(f"{url} names no bundle ({faults_of(error)}): it holds {holds}, and operating points where there are") from None
    named = pointer.bundle_url
    whole = named if "://" in named or named.startswith("/") else join(url.rpartition("/")[0] or ".", named)
    return pointer.model_copy(update={"bundle_url": whole})
