"""`/v1/readings`: second readings of stored radiographs. Nothing is ever changed: a corrected reading is a new one."""

import asyncio
import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from schemas.reading import NewReading, Reading, Readings
from schemas.scope import Scope
from serve.blinding import nights_of, viewer
from serve.callers import Caller, allowed
from serve.gateway import Gateway, gateway
from serve.problems import busy, responses
from serve.stored import name_of

router = APIRouter(prefix="/v1/readings", tags=["readings"])

Service = Annotated[Gateway, Depends(gateway)]

log = logging.getLogger(__name__)


@router.post("", status_code=201, responses=responses(400, 401, 403, 404, 409, 422, 503))
async def record(request: Request, new: NewReading, service: Service, caller: Annotated[Caller, Depends(allowed(Scope.REVIEW))]) -> Reading:
    """Record what the caller sees in a radiograph of the nights. From then on they are shown what the cascade said of it."""
    stored, book = nights_of(service)
    row = await stored.row(new.instance)
    request.state.instances = [name_of(row)]
    hidden = (await viewer(caller, service)).withheld(row) is not None
    try:
        return await asyncio.get_running_loop().run_in_executor(None, book.record, new, row, caller.name, hidden)
    except OSError as error:
        log.error("a reading cannot be written: %s", type(error).__name__)
        raise busy("the reading cannot be written into the results folder: tell the operator, and send it again", 10) from None


@router.get("", responses=responses(401, 403, 404, 409, 422, 503))
async def readings(
    request: Request,
    service: Service,
    caller: Annotated[Caller, Depends(allowed(Scope.REVIEW, Scope.ADMIN))],
    instance: Annotated[str | None, Query(description="SOPInstanceUID or object_id; all without it", min_length=1, max_length=128)] = None,
) -> Readings:
    """Return the caller's own readings, oldest first; to an administrator, everybody's."""
    stored, book = nights_of(service)
    row = None
    if instance is not None:
        row = await stored.row(instance)
        request.state.instances = [name_of(row)]
    found = await asyncio.get_running_loop().run_in_executor(None, book.all, row)
    if Scope.ADMIN not in caller.scopes:
        found = [reading for reading in found if reading.reader == caller.name]
    return Readings(readings=found)
