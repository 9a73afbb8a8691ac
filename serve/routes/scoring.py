"""`POST /v1/score`: the answers to the radiographs of a request."""

import asyncio
import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from schemas.answer import Answer, Answers
from schemas.scope import Scope
from screening.errors import OutputRefused
from screening.on_demand.scored import Scored
from screening.shard.heatmaps import png_of
from serve.callers import allowed
from serve.gateway import Gateway, gateway
from serve.outputs.form import Form
from serve.outputs.render import render
from serve.problems import Refused, responses
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
PICTURED = (Form.SEG, Form.SC)  # made from the heatmaps
ACCEPTED: dict[str, Form | Literal["json"]] = {
    "application/json": "json",
    Form.FHIR.media_type: Form.FHIR,
    Form.SR.media_type: Form.SR,
}
FORMS = {200: {"content": {Form.SR.media_type: _BINARY, Form.FHIR.media_type: {"schema": {"type": "object"}}}}}
BODY = {"requestBody": {"required": True, "content": {MULTIPART: _FORM} | dict.fromkeys(PLAIN_TYPES, _BINARY)}}


@router.post(
    "/v1/score",
    response_model=Answers,
    dependencies=[Depends(allowed(Scope.SCORE))],
    openapi_extra=BODY,
    responses=FORMS | responses(400, 401, 403, 406, 413, 415, 422, 503),
)
async def score(
    request: Request,
    service: Annotated[Gateway, Depends(gateway)],
    heatmaps: Annotated[bool, Query(description="send the image and its heatmaps, too, as data URLs of PNG files")] = False,
    format: Annotated[Form | Literal["json"] | None, Query(description="the form of the answer; without it, what Accept asks for")] = None,
) -> Any:
    """Score one or several DICOM, PNG or JPEG files.

    Each file has an answer, in the order in which the files were sent. One that cannot be scored has a reason: that is an answer, too.
    In other forms than JSON one file is answered at a time: a DICOM structured report (sr), segmentation of the lungs (seg) or secondary
    capture (sc), or a FHIR R4 bundle (fhir).
    """
    form = format or _accepted(request.headers.get("accept", ""))
    async with service.admitted():
        uploads = await uploads_of(request, service.settings)
        if form != "json" and len(uploads) > 1:
            raise Refused(400, f"one file at a time in the form {form}; as JSON there may be several")
        scored = await asyncio.gather(*(service.score(upload, heatmaps or form in PICTURED) for upload in uploads))
        request.state.instances = [one.answer.SOPInstanceUID for one in scored]
        if form != "json":
            return await _in_form(Form(form), uploads[0].content, scored[0], service)
    if heatmaps:
        content = await asyncio.get_running_loop().run_in_executor(None, lambda: _as_json([_with_pictures(one) for one in scored]))
    else:
        content = _as_json([one.answer for one in scored])
    return Response(content, media_type="application/json")  # which FastAPI would check once more


def _accepted(accept: str) -> Form | Literal["json"]:
    """Return the form that an Accept header asks for first; JSON where it asks for none of them."""
    asked = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((ACCEPTED[media_type] for media_type in asked if media_type in ACCEPTED), "json")


async def _in_form(form: Form, source: bytes, scored: Scored, service: Gateway) -> Response:
    manifest = await service.manifest(scored.answer.bundle_digest)
    try:
        media_type, content = await asyncio.get_running_loop().run_in_executor(None, render, form, source, scored, manifest)
    except OutputRefused as refusal:
        raise Refused(406, str(refusal)) from None
    return Response(content, media_type=media_type)


def _as_json(answers: list[Answer]) -> str:
    return Answers(answers=answers).model_dump_json()


def _with_pictures(scored: Scored) -> Answer:
    urls = {kind: data_url(png_of(picture)) for kind, picture in scored.heatmaps.items()}
    image = None if scored.pixels is None else data_url(png_of(scored.pixels))
    return scored.answer.model_copy(update={"heatmaps": urls, "image": image})


def data_url(png: bytes) -> str:
    """Return a PNG as a URL that holds it (RFC 2397)."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
