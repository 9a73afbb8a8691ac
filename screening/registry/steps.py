"""What people do with the registry: make a bundle known, let it judge, and go back."""

import getpass
import os
import socket
from collections.abc import Sequence

from schemas.bundle import BundleManifest, Overrides
from schemas.registry import Action, RegistryEntry
from screening.bundle.checks import digest12, verify
from screening.errors import BundleError, UsageError
from screening.registry import history
from screening.results.layout import ResultsLayout
from screening.results.manifests import now


def this_user() -> str:
    """Return who runs this process, and where: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a table of users
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname().partition('.')[0]}"


def register(layout: ResultsLayout, bundle_url: str, points: Overrides, *, who: str, why: str) -> RegistryEntry:
    """Make a bundle known with its own operating points, or with others, and return the entry. Changes no run.

    Raises BundleError for a damaged bundle, UsageError where it is registered with these operating points already.
    """
    bundle = points.applied(verify(bundle_url))
    url = bundle_url if "://" in bundle_url else os.path.abspath(bundle_url)
    entry = RegistryEntry(
        number=1,
        action="register",
        bundle_digest=bundle.digest(),
        bundle_name=bundle.name,
        bundle_url=url,
        operating_points=bundle.operating_points,
        sites=bundle.sites,
        who=who,
        when=now(),
        why=why,
    )

    def make(entries: Sequence[RegistryEntry]) -> RegistryEntry:
        known = history.registered(entries).get(entry.bundle_digest)
        if known and known.bundle_url == url:
            raise UsageError(f"{digest12(bundle)} is registered already, by {known.who} in entry {known.number}")
        return entry

    return history.add(layout, make)


def promote(layout: ResultsLayout, digest: str, *, who: str, why: str) -> RegistryEntry:
    """Let the registered bundle whose digest begins so judge from the next run on, and return the entry.

    Raises UsageError where no such bundle is registered or it judges already, BundleError where it is not in its folder any more.
    """

    def make(entries: Sequence[RegistryEntry]) -> RegistryEntry:
        known = history.find(entries, digest)
        judges = history.promoted(entries)
        if judges and judges.bundle_digest == known.bundle_digest:
            raise UsageError(f"{judges} is promoted already")
        judging(known)
        return _again(known, "promote", who, why)

    return history.add(layout, make)


def rollback(layout: ResultsLayout, *, who: str, why: str) -> RegistryEntry:
    """Let the bundle judge again that did so before the last promotion, and return the entry.

    Raises UsageError where there is none, BundleError where it is not in its folder any more.
    """

    def make(entries: Sequence[RegistryEntry]) -> RegistryEntry:
        standing = history.promotions(entries)
        if len(standing) < 2:
            raise UsageError("no bundle was promoted before the present one: there is nothing to go back to")
        judging(standing[-2])
        return _again(standing[-2], "rollback", who, why)

    return history.add(layout, make)


def judging(entry: RegistryEntry) -> tuple[BundleManifest, Overrides]:
    """Return the bundle that an entry names, with the operating points that judge, and those of them that are not the bundle's own.

    Raises BundleError where the bundle is damaged, gone, or another one than was registered.
    """
    own = verify(entry.bundle_url)
    bundle = own.judging_at(entry.operating_points, entry.sites)
    if bundle.digest() != entry.bundle_digest:
        raise BundleError(
            f"{entry.bundle_url} is not the bundle any more that was registered as {entry}: put that one back, or register this one"
        )
    points = {stage: point for stage, point in entry.operating_points.items() if own.operating_points.get(stage) != point}
    return bundle, Overrides(operating_points=points, sites={site: it for site, it in entry.sites.items() if own.sites.get(site) != it})


def _again(known: RegistryEntry, action: Action, who: str, why: str) -> RegistryEntry:
    facts = {"action": action, "who": who, "why": why, "when": now(), "shadow_id": None, "without_shadow": None}
    return known.model_copy(update=facts)
