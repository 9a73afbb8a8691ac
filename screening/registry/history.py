"""The history itself: one file an entry, added and never changed, so that no writer can lose another's entry."""

import logging
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from schemas.registry import RegistryEntry
from screening.errors import LockedError, ResultsError, UsageError
from screening.results.layout import ResultsLayout
from screening.storage import list_files, put_new, read_bytes

ATTEMPTS = 50  # of adding an entry, while others add theirs

log = logging.getLogger(__name__)


def read_history(layout: ResultsLayout) -> list[RegistryEntry]:
    """Return every entry, oldest first. Raises ResultsError where one cannot be read, or is missing."""
    entries = []
    for number, url in enumerate(list_files(layout.registry, ".json"), 1):
        if url.rsplit("/", 1)[-1] != layout.registry_entry(number).rsplit("/", 1)[-1]:
            raise ResultsError(f"{url}: entry {number} of the registry is missing; put it back, for the history is only ever added to")
        try:
            entries.append(RegistryEntry.model_validate_json(read_bytes(url)))
        except ValidationError as error:
            raise ResultsError(
                f"{url}: no entry of this version ({error.error_count()} faults); put back the file that was there"
            ) from None
    return entries


def add(layout: ResultsLayout, make: Callable[[Sequence[RegistryEntry]], RegistryEntry]) -> RegistryEntry:
    """Add the entry that `make` gives for the history so far, and return it.

    Where another writer was faster, `make` is asked anew with that writer's entry in the history; what it raises ends the attempt.
    Raises LockedError where others were faster every time.
    """
    for _ in range(ATTEMPTS):
        history = read_history(layout)
        entry = make(history).model_copy(update={"number": len(history) + 1})
        if put_new(layout.registry_entry(entry.number), entry.model_dump_json(indent=2).encode()):
            log.info("registry: %s %s by %s", entry.action, entry, entry.who)
            return entry
    raise LockedError(f"{layout.registry}: others add entries all the time; give the same command again")


def registered(history: Sequence[RegistryEntry]) -> dict[str, RegistryEntry]:
    """Return bundle_digest → the latest entry that registered it."""
    return {entry.bundle_digest: entry for entry in history if entry.action == "register"}


def promotions(history: Sequence[RegistryEntry]) -> list[RegistryEntry]:
    """Return the promotions that stand, oldest first: the last one judges, and a rollback goes back to the one before it."""
    standing: list[RegistryEntry] = []
    for entry in history:
        if entry.action == "rollback":
            del standing[-2:]
        if entry.action != "register":
            standing.append(entry)
    return standing


def promoted(history: Sequence[RegistryEntry]) -> RegistryEntry | None:
    """Return the entry whose bundle is to judge; None where nothing was promoted."""
    standing = promotions(history)
    return standing[-1] if standing else None


def find(history: Sequence[RegistryEntry], digest: str) -> RegistryEntry:
    """Return the registered bundle whose digest begins so. Raises UsageError where none or several do."""
    found = [entry for whole, entry in registered(history).items() if whole.startswith(digest.lower())]
    if len(found) != 1:
        known = ", ".join(whole[:12] for whole in registered(history)) or "none"
        raise UsageError(f"{len(found)} registered bundles begin with {digest}; registered are: {known}")
    return found[0]
