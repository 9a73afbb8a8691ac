"""Export: the answers of a results folder, chosen by SQL, each as one file in the form that was asked for."""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time

import numpy as np
from PIL import Image

from schemas.answer import Answer
from schemas.bundle import DIGEST_LENGTH, BundleManifest
from schemas.heatmap import HeatmapKind
from schemas.progress import OnProgress, unwatched
from schemas.reasons import Outcome
from schemas.run import RunManifest
from screening.analytics.conditions import rows_where
from screening.analytics.views import ViewRow, connect
from screening.archive.index import check_apart
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject
from screening.archive.stow import store
from screening.bundle.checks import load_manifest
from screening.errors import BundleError, Fault, ImageRefused, OutputRefused, UsageError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.on_demand.scored import Scored
from screening.privacy import SEALED, UrlSeal
from screening.results.heatmaps import heatmap_urls
from screening.results.layout import ResultsLayout
from screening.results.manifests import list_runs
from screening.storage import filesystem_of, is_pacs, join, put_atomic
from serve.outputs.form import Form
from serve.outputs.render import render

SHOWS = {Form.SEG: (HeatmapKind.LUNGS,), Form.SC: (HeatmapKind.COVID, HeatmapKind.PNEUMONIA)}  # form → the heatmaps that it needs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Export:
    """What `screening export` was asked to do."""

    results_url: str
    form: Form
    output_url: str
    where: str = "counts"  # a condition over the view instances
    bundle: str | None = None  # digest, or its first digits, of the bundle whose rows are exported; None takes that of the latest run
    bundle_url: str | None = None  # where that bundle lies now; None takes the place that its run names
    heatmap: HeatmapKind | None = None  # that a Secondary Capture shows; None takes that of COVID-19 where there is one
    pseudonym_key: bytes | None = field(default=None, repr=False)  # opens the names of objects where they are encrypted


@dataclass
class ExportSummary:
    """Rows, all of them: `rows = written + len(refused)`."""

    bundle_digest: str
    rows: int = 0
    written: int = 0
    refused: dict[str, str] = field(default_factory=dict)  # object_id → why there is no file of it, and the remedy


def export(request: Export, on_progress: OnProgress = unwatched) -> ExportSummary:
    """Write one file for each chosen row, `OUTPUT/<object_id>.<digest12>.<form>.dcm` or `.fhir.json`, and return the counts.

    An `output_url` that begins with `dicomweb://` or `dicomwebs://` is a PACS, which gets the files by STOW-RS.

    A row that cannot be written is in the summary with its reason and does not end the export. An export that is repeated writes the
    same bytes under the same names, because the objects bear the row's screen_date as their time.

    Raises:
        UsageError: no run, a condition that is none, an output folder inside the archive, or names that no key here opens.
        BundleError: the bundle that answered is not where its run says.
        ArchiveError: the PACS takes nothing.
    """
    run = _run_of(request)
    _check_output(run, request)
    bundle = _bundle_of(run, request)
    summary = ExportSummary(run.bundle_digest)
    on_progress("choosing rows", 0, 0)
    with connect(request.results_url, bundle=run.bundle_digest) as connection, _Sources(request) as sources:
        rendered = _rendered(rows_where(connection, request.where), sources, bundle, request)
        files = _written_down(rendered, summary, on_progress)
        if is_pacs(filesystem_of(request.output_url)[0]):
            _store(files, request, summary)
        else:
            for object_id, data in files:
                name = f"{object_id}.{run.bundle_digest[:DIGEST_LENGTH]}{request.form.suffix}"
                put_atomic(join(request.output_url, name), data)
                summary.written += 1
    return summary


def _written_down(
    rendered: Iterator[tuple[ViewRow, bytes | None, str]], summary: ExportSummary, on_progress: OnProgress
) -> Iterator[tuple[str, bytes]]:
    """Yield object_id and file of each row that has one; write down the others with their reason."""
    for row, data, reason in rendered:
        summary.rows += 1
        on_progress("writing files", summary.rows, 0)
        if data is None:
            summary.refused[row["object_id"]] = reason
        else:
            yield row["object_id"], data


def _store(files: Iterator[tuple[str, bytes]], request: Export, summary: ExportSummary) -> None:
    """Send the files to a PACS; one that it does not take has the PACS's reason."""
    object_ids: list[str] = []

    def contents() -> Iterator[bytes]:
        for object_id, data in files:
            object_ids.append(object_id)
            yield data

    outcomes = store(request.output_url, contents())
    for object_id, outcome in zip(object_ids, outcomes, strict=True):
        if outcome.stored:
            summary.written += 1
        else:
            summary.refused[object_id] = outcome.reason


def _rendered(
    rows: Iterator[ViewRow], sources: "_Sources", bundle: BundleManifest, request: Export
) -> Iterator[tuple[ViewRow, bytes | None, str]]:
    """Yield each row with its file, or None and why there is none."""
    for row in rows:
        try:
            data = sources.read(row)
            when = datetime.combine(row["screen_date"], time(), UTC)
            yield row, render(request.form, data, sources.scored(row, data, bundle), bundle, when, request.heatmap)[1], ""
        except (OutputRefused, ImageRefused) as refusal:
            yield row, None, str(refusal)
        except UsageError:
            raise  # the key is another one: no row can be opened
        except Exception as error:  # one file that nobody foresaw; its message may quote the header, so only its frames are told
            fault = Fault.of(error)
            log.error("export of %s failed: %s; %s", row["object_id"], fault.type, ", ".join(map(str, fault.frames)))
            yield row, None, f"an unexpected error of this software, {fault.type} at {fault.frames[-1]}: report it with this line"


class _Sources:
    """The files of rows and their heatmaps. Used as a context manager it forgets its containers at the end."""

    def __init__(self, request: Export):
        self._request = request
        self._config = IngestConfig()
        self._seal = UrlSeal(request.pseudonym_key) if request.pseudonym_key else None
        self._reader = ObjectReader(self._config.limits.max_bytes)

    def __enter__(self) -> "_Sources":
        self._reader.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.__exit__(*error)

    def read(self, row: ViewRow) -> bytes:
        """Return the file that was judged. Raises ImageRefused where it is gone or another one, UsageError without the key."""
        url = row["object_url"]
        if url.startswith(SEALED):
            if self._seal is None:
                raise UsageError("the names of files are encrypted: give the key of the run with --pseudonym-key")
            url = self._seal.open(url)
        return self._reader.read(url, IndexedObject(row["object_bytes"], row["object_etag"]))

    def scored(self, row: ViewRow, data: bytes, bundle: BundleManifest) -> Scored:
        """Return a row's answer with the pictures that the form needs. Raises OutputRefused where the pixels are not those judged."""
        answer, kinds = Answer.of(row, bundle), SHOWS.get(self._request.form, ())
        if answer.outcome != Outcome.SCORED:
            return Scored(answer)
        found = {kind: picture for kind in kinds if (picture := self._heatmap(row, kind)) is not None}
        return Scored(answer, self._pixels(row, data) if self._request.form is Form.SC else None, found)

    def _pixels(self, row: ViewRow, data: bytes) -> np.ndarray:
        ingested = ingest(data, self._config, None)
        if ingested.pixels is None or ingested.columns["pixel_hash"] != row["pixel_hash"]:
            raise OutputRefused("the radiograph does not decode to the pixels that were judged: screen it again with this version")
        return ingested.pixels

    def _heatmap(self, row: ViewRow, kind: HeatmapKind) -> np.ndarray | None:
        """Return (512, 512) uint8, or None where it was not kept or is not there any more."""
        for url in heatmap_urls(row, kind, self._request.results_url):
            try:
                with Image.open(io.BytesIO(self._reader.read(url)), formats=["PNG"]) as image:
                    return np.asarray(image.convert("L"))
            except (ImageRefused, OSError):
                continue  # the next place
        return None


def _run_of(request: Export) -> RunManifest:
    """Return the latest run, of the bundle that was asked for. Raises UsageError where there is none."""
    runs = list(list_runs(ResultsLayout(request.results_url)))
    if not runs:
        raise UsageError(f"{request.results_url}: no run has written here; give the folder that was --results of `screening run`")
    chosen = [run for run in runs if run.bundle_digest.startswith(request.bundle or "")]
    if not chosen:
        known = ", ".join(sorted({run.bundle_digest[:DIGEST_LENGTH] for run in runs}))
        raise UsageError(f"{request.results_url} has no run of bundle {request.bundle}: there are {known}")
    return chosen[-1]


def _bundle_of(run: RunManifest, request: Export) -> BundleManifest:
    """Return the manifest that gave the rows, with the operating points of its run. Raises BundleError where it is not at its place."""
    url = request.bundle_url or run.bundle_url
    bundle = load_manifest(url).judging_at(run.operating_points, run.sites)
    if bundle.digest() != run.bundle_digest:
        raise BundleError(
            f"{url} is not the bundle {run.bundle_digest[:DIGEST_LENGTH]} that answered: give the folder of that one with --bundle-url"
        )
    return bundle


def _check_output(run: RunManifest, request: Export) -> None:
    """Raise UsageError where the next run would find the exported files in its archive; a PACS is meant to have them beside the images."""
    if is_pacs(filesystem_of(request.output_url)[0]):
        if request.form is Form.FHIR:
            raise UsageError("a PACS takes DICOM objects: give --format sr, seg or sc, or a folder as --output")
        return
    if not run.archive_url.startswith(SEALED):
        check_apart(run.archive_url, request.output_url)
    elif request.pseudonym_key is not None:
        check_apart(UrlSeal(request.pseudonym_key).open(run.archive_url), request.output_url)
