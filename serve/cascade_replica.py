"""A replica of the cascade: the three networks in one process, which judge what several requests ask at the same time as one batch."""

import logging
import os
import threading
import time
from dataclasses import replace

import numpy as np

from schemas.bundle import BundleManifest
from schemas.service import BundleInUse, ServiceSettings
from screening.bundle.pointer import BundlePointer, bundle_in_use, is_pointer
from screening.cascade.cascade import Cascade
from screening.errors import BundleError
from screening.on_demand.scored import Scored, refused_answer, scored_answer
from screening.run.machine import MOST_CALLS
from serve.calls import Calls
from serve.log import log_to_folder
from serve.loopback import keep_to_loopback
from serve.question import OtherBundle, Question

FOLLOW_SECONDS = 1.0  # between two looks at the file that names the bundle in use and its operating points

log = logging.getLogger(__name__)


class CascadeReplica:
    """Answers questions with the bundle in use, and changes over to another between two calls."""

    def __init__(self, settings: ServiceSettings):
        """Load the networks. Raises BundleError, UsageError."""
        keep_to_loopback()
        log_to_folder(settings.log, "cascade")
        self._settings = settings
        self._in_use = self._tried = bundle_in_use(settings.bundle, settings.operating_points)
        self._cascade = self._load(self._in_use)
        cores = settings.cpus_per_replica or os.cpu_count() or 1
        lanes = min(cores, MOST_CALLS) if self._cascade.device.type == "cpu" else 1
        # a call of more images than a forward pass takes makes the others wait and is no faster
        self._calls = Calls(self._judge, self._cascade.batch_size, cores, lanes)
        if is_pointer(settings.bundle):
            threading.Thread(target=self._follow, name="follow", daemon=True).start()

    def _load(self, named: BundlePointer) -> Cascade:
        settings = self._settings
        cascade = Cascade.from_bundle(
            named.bundle_url,
            settings.device,
            settings.dtype,
            threads=1,  # no team of threads for the one that loads: see Calls
            operating_points=named.operating_points,
            sites=named.sites,
        )
        named.check(cascade.manifest)
        return cascade

    async def in_use(self) -> BundleInUse:
        """Return what there is to say of the bundle that answers now."""
        cascade = self._cascade
        manifest = cascade.manifest
        return BundleInUse(
            name=manifest.name,
            digest=cascade.digest,
            **{f"{stage}_threshold": point.threshold for stage, point in manifest.operating_points.items()},
            min_age_years=manifest.preprocessing.min_age_years,
            device=str(cascade.device),
            dtype=str(cascade.dtype).removeprefix("torch."),
            license=manifest.license,
        )

    async def manifest(self) -> BundleManifest:
        """Return the manifest of the bundle that answers now, with the operating points that judge."""
        return self._cascade.manifest

    async def ask(self, question: Question) -> Scored | OtherBundle:
        """Return the answer; a refused file waits for nothing."""
        if question.ingested.refusal is None:
            return await self._calls.ask(question)
        return self._refuse(self._cascade, question)

    def _judge(self, questions: list[Question]) -> list[Scored | OtherBundle]:
        """Return the answers to several questions, all by the same bundle."""
        cascade = self._cascade  # the one that answers this call, whatever `_follow` does meanwhile
        limit = cascade.manifest.preprocessing.min_age_years
        asked = [question for question in questions if question.min_age_years == limit]
        if not asked:
            return [OtherBundle(limit)] * len(questions)
        pixels = np.stack([question.ingested.pixels for question in asked])[:, None]
        sites = [question.ingested.columns.get("InstitutionName") for question in asked]
        result = cascade(pixels, guided=np.array([question.heatmaps for question in asked]), sites=sites)
        places = iter(range(len(asked)))
        return [
            _as_asked(question, scored_answer(question.ingested, result, next(places), cascade.manifest, question.file, question.heatmaps))
            if question.min_age_years == limit
            else OtherBundle(limit)
            for question in questions
        ]

    @staticmethod
    def _refuse(cascade: Cascade, question: Question) -> Scored | OtherBundle:
        limit = cascade.manifest.preprocessing.min_age_years
        if question.min_age_years != limit:
            return OtherBundle(limit)
        return refused_answer(question.ingested, cascade.manifest, question.file)

    def _follow(self) -> None:
        """Look at the file again and again; what is wrong changes nothing, and the log says it once and not at each look."""
        said = ""
        while True:
            time.sleep(FOLLOW_SECONDS)
            try:
                self._look()
                said = ""
            except Exception as error:
                if str(error) == said:
                    continue
                said = str(error)
                if isinstance(error, BundleError | OSError):
                    log.error("the bundle in use stays: %s", error)
                else:
                    log.exception("the bundle in use stays")

    def _look(self) -> None:
        """Load what the file names where that is another bundle or other operating points. Raises BundleError where it cannot be had."""
        named = bundle_in_use(self._settings.bundle)
        if named in (self._in_use, self._tried):
            return
        named.manifest()  # at each look until it is right, because somebody may put the right bundle there later
        self._tried = named
        started = time.monotonic()
        self._cascade, self._in_use = self._load(named), named
        log.info("bundle %s answers after %.1f s", self._cascade.digest[:12], time.monotonic() - started)


def _as_asked(question: Question, scored: Scored) -> Scored:
    """Return an answer without the image where no pictures were asked for: it need not travel back."""
    return scored if question.heatmaps else replace(scored, pixels=None)
