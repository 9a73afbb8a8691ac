"""Blind reading: who may record readings sees what the cascade said of a radiograph only after having recorded one."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass

from schemas.reading import Finding, Reading
from schemas.scope import Scope
from screening.analytics.views import ViewRow, ViewRows
from serve.callers import Caller
from serve.gateway import Gateway
from serve.problems import Refused
from serve.reading_book import Mark, ReadingBook, latest_of
from serve.stored import Stored

WITHHELD = "withheld until you have recorded your reading of this radiograph, so that it is a second one and not an echo"
_KEY = secrets.token_bytes(32)  # of the order of a blind reader's list; another one with every start of the server


@dataclass(frozen=True)
class Viewer:
    """A caller in front of the nights, with the readings that they have recorded, by the marks of their radiographs."""

    caller: Caller
    blind: bool
    readings: dict[Mark, Reading]

    def finding(self, row: ViewRow) -> Finding | None:
        """Return the caller's latest reading of a row's radiograph."""
        reading = latest_of(self.readings, row)
        return reading.finding if reading else None

    def withheld(self, row: ViewRow) -> str | None:
        """Return why the cascade's answer is withheld from this caller; None where it is shown."""
        return WITHHELD if self.blind and self.finding(row) is None else None

    def ordered(self, rows: ViewRows) -> ViewRows:
        """Return a list, most urgent first, in the order for this caller: unread radiographs of a blind one first, in an order by chance.

        It is that of a keyed hash: the same with every look, another for each reader, and no score can be told from it.
        """
        if not self.blind:
            return rows
        unread = [row for row in rows if self.withheld(row)]
        return sorted(unread, key=self._chance) + [row for row in rows if not self.withheld(row)]

    def _chance(self, row: ViewRow) -> bytes:
        return hashlib.blake2b(f"{self.caller.name} {row['object_id']}".encode(), key=_KEY).digest()


def is_blind(caller: Caller, service: Gateway) -> bool:
    """Return whether this caller reads blind on this server: a token that may review does, whatever else it may."""
    return service.settings.blind and Scope.REVIEW in caller.scopes


def nights_of(service: Gateway) -> tuple[Stored, ReadingBook]:
    """Return what is known of the nights. Raises Refused 409 where the server has no results folder."""
    if service.stored is None or service.readings is None:
        raise Refused(409, "this server shows no nights: start it with --results, the folder of `screening run`")
    return service.stored, service.readings


async def viewer(caller: Caller, service: Gateway) -> Viewer:
    """Return the caller with their readings; nobody else has any. Raises Refused 409 where the server has no results folder."""
    _, book = nights_of(service)
    readings: dict[Mark, Reading] = {}
    if Scope.REVIEW in caller.scopes:
        readings = await asyncio.get_running_loop().run_in_executor(None, book.latest, caller.name)
    return Viewer(caller, is_blind(caller, service), readings)
