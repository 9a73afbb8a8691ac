"""`POST /v1/score`: the answers to the radiographs of a request."""

import asyncio
import base64
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from schemas.answer import Answer, Answers
from schemas.service import Scope
from screening.on_demand.scored import Scored
from screening.shard.heatmaps import png_of
from serve.callers import allowed
from serve.gateway import Gateway, gateway
from serve.problems import responses
from serve.uploads import MULTIPART, PLAIN_TYPES, uploads_of

router = APIRouter(tags=["scoring"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}},
    }
}
BODY = {"requestBody": {"required": True, "content": {MULTIPART: _FORM} | dict.fromkeys(PLAIN_TYPES, _BINARY)}}


@router.post(
    "/v1/score",
    response_model=Answers,
    dependencies=[Depends(allowed(Scope.SCORE))],
    openapi_extra=BODY,
    responses=responses(400, 401, 403, 413, 415, 503),
)
async def score(
    request: Request,
    service: Annotated[Gateway, Depends(gateway)],
    heatmaps: Annotated[bool, Query(description="send the image and its heatmaps, too, as data URLs of PNG files")] = False,
) -> Answers:
    """Score one or several DICOM, PNG or JPEG files.

    Each file has an answer, in the order in which the files were sent. One that cannot be scored has a reason: that is an answer, too.
    """
    async with service.admitted():
        uploads = await uploads_of(request, service.settings)
        scored = await asyncio.gather(*(service.score(upload, heatmaps) for upload in uploads))
    request.state.instances = [one.answer.SOPInstanceUID for one in scored]
    return Answers(answers=[_with_pictures(one) if heatmaps else one.answer for one in scored])


def _with_pictures(scored: Scored) -> Answer:
    urls = {kind: data_url(png_of(picture)) for kind, picture in scored.heatmaps.items()}
    image = None if scored.pixels is None else data_url(png_of(scored.pixels))
    return scored.answer.model_copy(update={"heatmaps": urls, "image": image})


def data_url(png: bytes) -> str:
    """Return a PNG as a URL that holds it (RFC 2397)."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
