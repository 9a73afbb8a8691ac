"""`GET /v1/worklist`: the positives of a night."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from schemas.scope import Scope
from schemas.stored import Worklist, WorklistEntry
from screening.analytics.views import ViewRow
from serve.blinding import Viewer, nights_of, viewer
from serve.callers import Caller, allowed
from serve.gateway import Gateway, gateway
from serve.problems import Refused, responses

router = APIRouter(tags=["nights"])

MOST_ENTRIES = 1000
_CALLS = ("covid_positive", "pneumonia_value", "covid_value")


@router.get("/v1/worklist", responses=responses(401, 403, 404, 409, 422, 503))
async def worklist(
    service: Annotated[Gateway, Depends(gateway)],
    caller: Annotated[Caller, Depends(allowed(Scope.READ, Scope.REVIEW))],
    night: Annotated[dt.date | None, Query(description="YYYY-MM-DD; the last one without it")] = None,
    site: Annotated[str | None, Query(description="InstitutionName, as the rows have it; all without it")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 200,
) -> Worklist:
    """Return the positives of a night, most urgent first; those that a blind reader has not read yet first, in an order by chance."""
    stored, _ = nights_of(service)
    looking = await viewer(caller, service)
    nights = await stored.nights()
    if night is not None and night not in nights:
        raise Refused(404, "nothing was screened in this night: GET /v1/worklist without one lists those there are")
    chosen = night or next(iter(nights), None)
    everywhere = await stored.positives(chosen, None) if chosen else []
    rows = [row for row in everywhere if site in (None, row["InstitutionName"])]
    return Worklist(
        night=chosen,
        site=site,
        total=len(rows),
        blind=looking.blind,
        entries=[_entry(row, looking) for row in looking.ordered(rows)[:limit]],
        nights=nights,
        sites=sorted({row["InstitutionName"] for row in everywhere if row["InstitutionName"]}),
    )


def _entry(row: ViewRow, looking: Viewer) -> WorklistEntry:
    shown = {name: value for name, value in row.items() if name in WorklistEntry.model_fields}
    hidden = dict.fromkeys(_CALLS) if looking.withheld(row) else {}
    return WorklistEntry(**(shown | hidden), finding=looking.finding(row))
