"""Operating points in a file of their own: thresholds chosen after training, on an agency's own people, for one bundle and no other.

A new bundle has other scores: the best threshold of one product moved from 40 to 47 to 20 over three versions at the same AUROC. So the
file holds the digest of its bundle, and `check` refuses any other.
"""

from pydantic import ValidationError

from schemas.bundle import DIGEST_LENGTH, Overrides
from schemas.operating_points import OperatingPoints
from screening.errors import UsageError
from screening.storage import exists, put_atomic, read_bytes


def save(url: str, points: OperatingPoints) -> None:
    """Write the points as JSON, for `screening run --operating-points`."""
    put_atomic(url, points.model_dump_json(indent=2).encode())


def add_sites(url: str, points: OperatingPoints) -> OperatingPoints:
    """Write the points of sites beside those of other sites in the file, and return what it holds then; one of the same name is replaced.

    Raises UsageError where the file is for another bundle, or none of these.
    """
    earlier = check_addable(url, points.bundle_digest)
    if earlier is not None:
        names = ("sites", "site_evidence", "kept")
        points = earlier.model_copy(
            update={name: {**getattr(earlier, name), **getattr(points, name)} for name in names} | {"chosen": points.chosen}
        )
    save(url, points)
    return points


def check_addable(url: str, bundle_digest: str) -> OperatingPoints | None:
    """Return what a file holds that points may be put into, None where there is no file. Raises UsageError as `load` and `check` do."""
    if not exists(url):
        return None
    earlier = load(url)
    check(earlier, bundle_digest)
    return earlier


def load(url: str) -> OperatingPoints:
    """Return the points of a file. Raises UsageError where there is none, or where it is not one of these."""
    try:
        return OperatingPoints.model_validate_json(read_bytes(url))
    except FileNotFoundError:
        raise UsageError(f"{url} does not exist: `screening thresholds --save` writes one") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise UsageError(f"{url} holds no operating points ({where}: {first['msg']}): `screening thresholds --save` writes them") from None


def check(points: OperatingPoints, bundle_digest: str) -> Overrides:
    """Return what judges in the place of the bundle's points; raises UsageError unless its digest (64 hex digits) is this one."""
    if points.bundle_digest != bundle_digest:
        ours, theirs = points.bundle_digest[:DIGEST_LENGTH], bundle_digest[:DIGEST_LENGTH]
        raise UsageError(f"these operating points are for bundle {ours}, not {theirs}: scores of two bundles differ, so choose them anew")
    return Overrides(operating_points=points.points, sites=points.sites)
