"""Runs: their manifests, which of them died, and the proof that nothing was lost."""

import contextlib
import logging
import platform
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from pydantic import ValidationError

from schemas.bundle import BundleManifest
from schemas.columns import version_of
from schemas.instance import INSTANCE_SCHEMA
from schemas.run import RunManifest
from screening.errors import ResultsError, ScreeningError, WriteError
from screening.results.layout import ResultsLayout
from screening.results.run_log import logging_to
from screening.storage import join, list_files, put_atomic, read_bytes

_PACKAGES = ("chest-screening", "ray", "torch", "torchvision", "pyarrow", "pydicom", "imagecodecs", "pillow", "numpy")

log = logging.getLogger(__name__)


def new_run_id(started: datetime) -> str:
    """Return a name that sorts by time: 20200131T230000Z-1a2b3c."""
    return f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def now() -> datetime:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def software_versions() -> dict[str, str]:
    """Return what a run was made with: Python, this project, the packages that touch pixels, the instance schema."""
    versions = {"python": platform.python_version(), "instance_schema": str(version_of(INSTANCE_SCHEMA))}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "unknown"
    return versions


def write_manifest(layout: ResultsLayout, manifest: RunManifest) -> None:
    """Put a run's manifest, over its earlier state."""
    put_atomic(layout.manifest(manifest.run_id), manifest.model_dump_json(indent=2).encode())


@contextlib.contextmanager
def recorded(layout: ResultsLayout, run: RunManifest) -> Iterator[RunManifest]:
    """Keep the manifest of `run` true while the block carries it out: running, then finished, stopped, or failed with its error.

    The block fills in `counts` and `times`, and says where the run was stopped; the wall time is measured here. What this process logs
    meanwhile goes to the run's log.
    """
    clock = time.monotonic()
    run.status, run.error, run.finished = "running", None, None
    with logging_to(layout, run.run_id):
        log.info(
            "%s begins: execution %d, %d rows planned, bundle %s", run.kind, run.executions, run.counts.planned, run.bundle_digest[:12]
        )
        if run.not_promoted:
            log.warning("%s", run.not_promoted)
        write_manifest(layout, run)
        try:
            yield run
        except BaseException as error:
            _end(run, "failed", clock)
            run.error = _said_of(error)
            log.exception("%s failed: %s", run.kind, run.error)
            with contextlib.suppress(WriteError):  # it says less than `error`, and a manifest that says running is resumed as well
                write_manifest(layout, run)
            raise
        _end(run, "stopped" if run.status == "stopped" else "finished", clock)
        write_manifest(layout, run)
        log.info("%s %s: %d rows written in %.0f s", run.kind, run.status, run.counts.written, run.times.wall_seconds)


def _end(run: RunManifest, status: str, clock: float) -> None:
    run.status, run.finished = status, now()
    run.times.wall_seconds = time.monotonic() - clock


def _said_of(error: BaseException) -> str:
    """Return an error in words. The text of one that is not ours may quote a value, so only its type is given; the log has its frames."""
    ours = isinstance(error, ScreeningError)
    system = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {(str(error) if ours else system) or 'see the log of the run'}"[:2000]


def list_runs(layout: ResultsLayout) -> Iterator[RunManifest]:
    """Yield every run's manifest, oldest first; raises ResultsError for one that cannot be read."""
    for url in sorted(list_files(layout.runs, "manifest.json")):
        try:
            yield RunManifest.model_validate_json(read_bytes(url))
        except ValueError as error:
            raise ResultsError(
                f"{url}: not a run manifest of this version ({type(error).__name__}); move that run's folder away"
            ) from error


def unfinished_run(layout: ResultsLayout, archive_url: str, bundle_digest: str) -> RunManifest | None:
    """Return the oldest run over this archive with this bundle that wrote its plan and then died, or None.

    One that was stopped at its deadline did not die: what it left is planned anew, behind what is newer.
    """
    for run in list_runs(layout):
        same = run.archive_url == archive_url and run.bundle_digest == bundle_digest
        if same and run.kind == "run" and run.status not in ("finished", "stopped"):
            return run
    return None


def bundle_of(runs: Sequence[RunManifest], bundle_digest: str) -> BundleManifest | None:
    """Return the manifest of a bundle, with its operating points, where one of its runs says that it lies; the latest run is asked first.

    None where the bundle is gone from there, or was changed since.
    """
    for run in reversed([run for run in runs if run.bundle_digest == bundle_digest]):
        try:
            manifest = BundleManifest.model_validate_json(read_bytes(join(run.bundle_url, "bundle.json")))
        except (OSError, ValidationError):
            continue
        manifest = manifest.judging_at(run.operating_points, run.sites)
        if manifest.digest() == bundle_digest:
            return manifest
    return None
