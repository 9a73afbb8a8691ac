"""`/v1/instances`: the stored answer of a night to one radiograph, its heatmaps, and the radiograph as the cascade sees it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from schemas.heatmap import URL_COLUMN, HeatmapKind
from schemas.scope import Scope
from schemas.stored import JUDGEMENTS, StoredAnswer
from screening.analytics.views import ViewRow
from screening.errors import ImageRefused
from screening.shard.heatmaps import png_of
from serve.blinding import nights_of, viewer
from serve.callers import Caller, allowed
from serve.gateway import Gateway, gateway
from serve.problems import Refused, responses
from serve.stored import name_of

router = APIRouter(prefix="/v1/instances", tags=["nights"])

Service = Annotated[Gateway, Depends(gateway)]
Looking = Annotated[Caller, Depends(allowed(Scope.READ, Scope.REVIEW))]
Uid = Annotated[str, Path(description="SOPInstanceUID or object_id, as the rows have it", min_length=1, max_length=128)]

_PNG = {200: {"content": {"image/png": {}}, "description": "a 512 x 512 8-bit grey PNG"}}


async def _row(request: Request, uid: str, service: Gateway) -> ViewRow:
    """Return the row that counts for `uid`, and let the access log name it. Raises Refused 404, 409."""
    row = await nights_of(service)[0].row(uid)
    request.state.instances = [name_of(row)]
    return row


@router.get("/{uid}", responses=responses(401, 403, 404, 409, 422, 503))
async def instance(request: Request, uid: Uid, service: Service, caller: Looking) -> StoredAnswer:
    """Return the answer of the nights to one radiograph: of several bundles, that of the one which ran last.

    A blind reader gets no score, call or heatmap before having recorded a reading; `withheld` says so.
    """
    row = await _row(request, uid, service)
    stored, _ = nights_of(service)
    looking = await viewer(caller, service)
    answer = StoredAnswer.of(row, await stored.bundle(row["bundle_digest"]))
    place = f"{router.prefix}/{row['object_id']}"
    told = {"finding": looking.finding(row), "image": f"{place}/image.png" if row["pixel_hash"] else None}
    if (withheld := looking.withheld(row)) is not None:
        return answer.model_copy(update=told | dict.fromkeys(JUDGEMENTS) | {"withheld": withheld})
    kept = {kind: f"{place}/heatmaps/{kind}.png" for kind, column in URL_COLUMN.items() if row[column] is not None}
    return answer.model_copy(update=told | {"heatmaps": kept})


@router.get("/{uid}/heatmaps/{kind}.png", response_class=Response, responses=_PNG | responses(401, 403, 404, 409, 422, 503))
async def heatmap(request: Request, uid: Uid, kind: HeatmapKind, service: Service, caller: Looking) -> Response:
    """Return a heatmap that the night kept. A blind reader is refused with 403 before having recorded a reading."""
    row = await _row(request, uid, service)
    if (withheld := (await viewer(caller, service)).withheld(row)) is not None:
        raise Refused(403, f"heatmaps are {withheld}: POST /v1/readings")
    return Response(await nights_of(service)[0].heatmap(row, kind), media_type="image/png")


@router.get("/{uid}/image.png", response_class=Response, responses=_PNG | responses(401, 403, 404, 409, 422, 503))
async def image(request: Request, uid: Uid, service: Service, caller: Looking) -> Response:
    """Return the radiograph as the cascade saw it, read from the archive and decoded again."""
    row = await _row(request, uid, service)
    async with service.admitted():
        try:
            content = await nights_of(service)[0].content(row)
        except ImageRefused as refusal:
            raise Refused(404, f"the radiograph cannot be read from the archive any more: {refusal.detail}") from None
        ingested = await service.ingest(content)
    if ingested.pixels is None:
        raise Refused(404, f"there is no picture of it: {ingested.refusal.reason.description}")
    if row["pixel_hash"] not in (None, ingested.columns["pixel_hash"]):
        raise Refused(409, "the archive has another image at this place than the one that was judged: index it again")
    return Response(png_of(ingested.pixels), media_type="image/png")
