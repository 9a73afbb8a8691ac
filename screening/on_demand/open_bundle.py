"""A bundle that is ready to score one file or many in this process, without Ray."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from types import TracebackType

import numpy as np

from schemas.bundle import BundleManifest, OperatingPoint, SitePoints
from screening.archive.reader import ObjectReader
from screening.bundle.checks import load_manifest
from screening.errors import ImageRefused
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested
from screening.ingest.sandbox import DecodeSandbox
from screening.ingest.sites import load_sites
from screening.on_demand.files import File, Given, files_of
from screening.on_demand.scored import Scored, refused_answer, scored_answer
from screening.privacy import Pseudonymizer

DECODE_SECONDS = 60.0  # as in a night
DECODE_MEMORY_BYTES = 4 * 2**30
READ_AHEAD_FILES = 8  # decoded while the cascade judges others


class OpenBundle:
    """The three networks of a bundle on a device, and a child process that decodes files for them.

    It answers as a night with the same bundle does on the same device, bit for bit, but sends no negatives to stage 3 for an audit.
    Use as a context manager, or `close` it; not by several threads at once.
    """

    def __init__(
        self,
        url: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        operating_points: dict[str, OperatingPoint] | None = None,
        sites: dict[str, SitePoints] | None = None,
        ingest: IngestConfig | None = None,
        pseudonym_key: bytes | None = None,
        sites_file: str | None = None,
    ):
        """Check the bundle and load its networks; see `Cascade.from_bundle` for `device`, `dtype`, `operating_points` and `sites`.

        Without a `pseudonym_key` answers have no patient_pseudonym and no InstitutionName, so the points of no site judge.
        `sites_file` is the URL of what nights are given with --sites: sites that it lists are known by their text, as in rows.
        Raises BundleError, UsageError.
        """
        self.manifest: BundleManifest = load_manifest(url).judging_at(operating_points, sites)
        ingest = replace(ingest or IngestConfig(), min_age_years=self.manifest.preprocessing.min_age_years)
        pseudonymizer = Pseudonymizer(pseudonym_key, ingest.pseudonymize_uids) if pseudonym_key else None
        if sites_file is not None:
            ingest = replace(ingest, listed_texts=load_sites(sites_file, pseudonymizer))
        self._reader = ObjectReader(ingest.limits.max_bytes)
        self._sandbox = DecodeSandbox(ingest, pseudonymizer, DECODE_SECONDS, DECODE_MEMORY_BYTES)
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")
        started = self._decoder.submit(self._sandbox.__enter__)  # takes as long as torch does to be imported
        try:
            from screening.cascade.cascade import Cascade

            self.cascade = Cascade.from_bundle(url, device, dtype, operating_points=operating_points, sites=sites)
            started.result()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "OpenBundle":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process that decodes."""
        self._decoder.shutdown(wait=True, cancel_futures=True)
        self._sandbox.close()

    def __repr__(self) -> str:
        return f"OpenBundle({self.manifest.name!r}, {self.cascade.digest[:12]}, {self.cascade.device}, {self.cascade.dtype})"

    def score(self, given: Given | Iterable[Given], heatmaps: bool = True) -> Iterator[Scored]:
        """Yield what each file gives, in the order of the files, decoding ahead of the cascade.

        A file that cannot be scored gives an answer with its reason. `heatmaps` makes the pictures, too, guided ones among them.
        Raises ArchiveError where there is nothing at a path.
        """
        decoded = self._decoded(iter(files_of(given)))
        while call := list(islice(decoded, self.cascade.images_a_call)):
            yield from self._judged(call, heatmaps)

    def _decoded(self, files: Iterator[File]) -> Iterator[tuple[File, Ingested]]:
        waiting: deque[tuple[File, Future[Ingested]]] = deque()
        for file in files:
            waiting.append((file, self._decoder.submit(self._ingest, file)))
            if len(waiting) > READ_AHEAD_FILES:
                ready, ingested = waiting.popleft()
                yield ready, ingested.result()
        for file, ingested in waiting:
            yield file, ingested.result()

    def _ingest(self, file: File) -> Ingested:
        try:
            return self._sandbox.ingest(file.read(self._reader))
        except ImageRefused as refusal:
            return Ingested(refusal=refusal)

    def _judged(self, call: list[tuple[File, Ingested]], heatmaps: bool) -> Iterator[Scored]:
        ready = [ingested for _, ingested in call if ingested.refusal is None]
        sites = [ingested.columns.get("InstitutionName") for ingested in ready]
        pixels = [ingested.pixels for ingested in ready]
        result = self.cascade(np.stack(pixels)[:, None], guided=heatmaps, sites=sites) if pixels else None
        position = 0
        for file, ingested in call:
            if ingested.refusal is not None:
                yield refused_answer(ingested, self.manifest, file.name)
                continue
            yield scored_answer(ingested, result, position, self.manifest, file.name, heatmaps)
            position += 1
