"""The gateway: what the routes of one process share. It decodes, asks the cascade, and says no while it has too much to do."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from ray import serve
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from schemas.bundle import BundleManifest
from schemas.service import BundleInUse, ServiceSettings
from screening.bundle.pointer import bundle_in_use
from screening.dicom.limits import Limits
from screening.errors import ImageRefused
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested
from screening.ingest.sites import ListedTexts, load_sites
from screening.on_demand.scored import Scored
from screening.privacy import Pseudonymizer, load_key
from serve.decoders import Decoders
from serve.log import log_to_folder
from serve.metrics import Metrics
from serve.problems import Refused, busy
from serve.question import OtherBundle, Question
from serve.reading_book import ReadingBook
from serve.stored import Stored
from serve.tokens import TokenFile
from serve.uploads import Upload

ATTEMPTS = 5  # to get an answer, where replicas die or change over to another bundle
WAIT_SECONDS = 0.2  # before another attempt, and that much longer each time
ASK_SECONDS = 5.0  # for a replica to say which bundle it has

log = logging.getLogger(__name__)


class Gateway:
    """One gateway, made in the process of its Serve replica."""

    def __init__(self, settings: ServiceSettings, cascade: DeploymentHandle):
        """Read what the settings name and start the decoders. Raises UsageError, BundleError."""
        log_to_folder(settings.log, "gateway")
        self.settings = settings
        self.tokens = TokenFile(settings.tokens) if settings.tokens else None
        self.metrics = Metrics()
        self._cascade = cascade
        self._pseudonymizer = Pseudonymizer(load_key(settings.pseudonym_key)) if settings.pseudonym_key else None
        manifest = bundle_in_use(settings.bundle, settings.operating_points).manifest()
        self._manifests = {manifest.digest(): manifest}
        self._decoders = Decoders(settings, _ingest_config(settings, manifest, self._pseudonymizer), self._pseudonymizer)
        self.stored = Stored(settings) if settings.results else None
        self.readings = ReadingBook(settings.results) if settings.results else None
        self._changing = asyncio.Lock()
        self._admitted = 0

    @contextlib.asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Let a request in, or refuse it with 503 where as many as may wait are waiting."""
        if self._admitted >= self.settings.queue:
            raise busy(f"{self._admitted} requests are waiting: come back in a second")
        self._admitted += 1
        self.metrics.waiting.set(self._admitted)
        try:
            async with asyncio.timeout(self.settings.request_seconds):
                yield
        except TimeoutError:
            raise busy(f"no answer within {self.settings.request_seconds:g} s: come back later", 10) from None
        finally:
            self._admitted -= 1
            self.metrics.waiting.set(self._admitted)

    async def score(self, upload: Upload, heatmaps: bool) -> Scored:
        """Return what one file gives, the same as a night with the bundle in use. Raises Refused where no replica answers."""
        for _ in range(ATTEMPTS):
            decoders = self._decoders
            started = time.perf_counter()
            ingested = await decoders.ingest(upload.content)
            self.metrics.decode_seconds.observe(time.perf_counter() - started)
            if ingested.fault is not None:
                ingested.refusal = _logged(ingested)
            answer = await self._ask(Question(ingested, decoders.config.min_age_years, upload.name, heatmaps))
            if isinstance(answer, Scored):
                self.metrics.count(answer.answer)
                return answer
            await self._change_over(answer)
        raise busy("the server changes over to another bundle: come back in a moment", 5)

    async def ingest(self, content: bytes) -> Ingested:
        """Return what the decoders make of one file."""
        return await self._decoders.ingest(content)

    async def in_use(self) -> BundleInUse:
        """Return the bundle that answers now. Raises Refused 503 where no replica is up."""
        return await _said(self._cascade.in_use)

    async def manifest(self, digest: str) -> BundleManifest:
        """Return the manifest of the bundle that gave an answer. Raises Refused 503 where it is in use no more.

        A replica says it, because what is in the bundle's folder by now may be another bundle.
        """
        if digest not in self._manifests:
            manifest = await _said(self._cascade.manifest)
            self._manifests[manifest.digest()] = manifest
        try:
            return self._manifests[digest]
        except KeyError:
            raise busy("the server changes over to another bundle: come back in a moment", 5) from None

    async def _ask(self, question: Question) -> Scored | OtherBundle:
        """Return a replica's answer; where one dies over it, another's."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._cascade.ask.remote(question)
            except BackPressureError:
                raise busy("every replica of the cascade has its queue full: come back in a second") from None
            except (RayActorError, DeploymentUnavailableError) as error:
                log.warning("a replica was lost over a question (attempt %d): %s", attempt, type(error).__name__)
                await asyncio.sleep(WAIT_SECONDS * attempt)
        raise busy("no replica of the cascade answers: come back in a moment", 5)

    async def _change_over(self, other: OtherBundle) -> None:
        """Decode from here on with the age limit of the bundle that answers now."""
        async with self._changing:
            before = self._decoders
            if before.config.min_age_years == other.min_age_years:
                return  # another request has seen to it
            loop = asyncio.get_running_loop()
            made = (self.settings, replace(before.config, min_age_years=other.min_age_years), self._pseudonymizer)
            self._decoders = await loop.run_in_executor(None, lambda: Decoders(*made))
            loop.run_in_executor(None, before.close)


async def _said(question: DeploymentHandle) -> Any:
    """Return what a replica says of itself. Raises Refused 503 where none is up."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await question.remote()
    except (TimeoutError, RayActorError, DeploymentUnavailableError, BackPressureError):
        raise busy("no replica of the cascade is up: come back in a moment", 5) from None


def _ingest_config(settings: ServiceSettings, bundle: BundleManifest, pseudonymizer: Pseudonymizer | None) -> IngestConfig:
    """Return what ingest is told, so that sites have the names of the nights. Raises UsageError where the sites file is wrong."""
    listed = load_sites(settings.sites_file, pseudonymizer) if settings.sites_file else ListedTexts()
    limits = Limits(max_bytes=settings.max_file_bytes)
    return IngestConfig(min_age_years=bundle.preprocessing.min_age_years, listed_texts=listed, limits=limits)


def _logged(ingested: Ingested) -> ImageRefused:
    """Write down where an error came from that nobody foresaw, and return the refusal with the name of the log entry."""
    entry = uuid.uuid4().hex[:12]
    log.warning("%s: %s (entry %s)", ingested.refusal.reason, ingested.refusal.detail, entry, extra={"fault": ingested.fault})
    return ImageRefused(ingested.refusal.reason, f"{ingested.refusal.detail}; log entry {entry}")


async def gateway() -> Gateway:
    """Return the gateway of this process, as routes get it; a dependency that is no coroutine would be a task for another thread."""
    return gateway_here()


def gateway_here() -> Gateway:
    """Return the gateway of this process. Raises Refused 503 before there is one."""
    context = serve.get_replica_context()
    service = getattr(context.servable_object, "gateway", None)
    if service is None:
        raise Refused(503, "the server is starting: come back in a moment", {"Retry-After": "1"})
    return service
