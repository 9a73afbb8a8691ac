"""What the server says of itself: health, the bundle in use, metrics."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from schemas.scope import Scope
from schemas.service import BundleInUse, NewBundle
from screening.bundle.checks import load_manifest
from screening.bundle.pointer import BundlePointer, is_pointer, point_to
from screening.errors import BundleError
from serve.callers import allowed
from serve.gateway import Gateway, gateway
from serve.problems import Refused, responses

router = APIRouter(tags=["service"])

Service = Annotated[Gateway, Depends(gateway)]


@router.get("/healthz", response_model=None)
async def healthz() -> dict[str, str]:
    """Tell that this process runs. Open to everybody."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None, responses=responses(503))
async def readyz(service: Service) -> dict[str, str]:
    """Tell that a replica of the cascade answers. Open to everybody."""
    await service.in_use()
    return {"status": "ready"}


@router.get("/v1/bundle", dependencies=[Depends(allowed(*Scope))], responses=responses(401, 403, 503))
async def bundle(service: Service) -> BundleInUse:
    """Return the bundle that answers now: its name, digest, thresholds and age limit."""
    return await service.in_use()


@router.put("/v1/bundle", status_code=202, dependencies=[Depends(allowed(Scope.ADMIN))], responses=responses(400, 401, 403, 409, 422))
async def change_bundle(new: NewBundle, service: Service) -> NewBundle:
    """Let another bundle answer at its own operating points, as soon as the replicas have loaded it; no request is lost meanwhile.

    The server must follow a file that names the bundle: `screening serve --bundle current.json`. `screening bundle promote --pointer`
    writes that file, too, and lets a bundle answer at other operating points.
    """
    pointer = service.settings.bundle
    if not is_pointer(pointer):
        raise Refused(409, "this server was started with a bundle and not with a file that names one: start it anew with the other bundle")
    loop = asyncio.get_running_loop()
    try:
        await loop.run_in_executor(None, load_manifest, new.bundle_url)
    except BundleError as error:
        raise Refused(400, str(error)) from None
    except (OSError, ValueError, ImportError) as error:  # of whatever filesystem the URL names
        raise Refused(400, f"no bundle can be read there ({type(error).__name__}): check the URL and the permissions") from None
    await loop.run_in_executor(None, point_to, pointer, BundlePointer(bundle_url=new.bundle_url))
    return new


@router.get("/metrics", dependencies=[Depends(allowed(Scope.ADMIN))], response_class=PlainTextResponse, responses=responses(401, 403))
async def metrics(service: Service) -> Response:
    """Return this gateway's counts for Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
