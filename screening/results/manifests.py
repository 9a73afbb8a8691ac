"""Runs: their manifests, which of them died, and the proof that nothing was lost."""

import contextlib
import platform
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from schemas.columns import version_of
from schemas.instance import INSTANCE_SCHEMA
from schemas.run import RunManifest
from screening.errors import ResultsError
from screening.results.layout import ResultsLayout
from screening.storage import list_files, put_atomic, read_bytes

_PACKAGES = ("chest-screening", "ray", "torch", "torchvision", "pyarrow", "pydicom", "imagecodecs", "pillow", "numpy")


def new_run_id(started: datetime) -> str:
    """Return a name that sorts by time: 20200131T230000Z-1a2b3c."""
    return f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def now() -> datetime:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def software_versions() -> dict[str, str]:
    """Return what a run was made with: Python, this project, the packages that touch pixels, the instance schema."""
    found = {"python": platform.python_version(), "instance_schema": str(version_of(INSTANCE_SCHEMA))}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def write_manifest(layout: ResultsLayout, manifest: RunManifest) -> None:
    """Put a run's manifest, over its earlier state."""
    put_atomic(layout.manifest(manifest.run_id), manifest.model_dump_json(indent=2).encode())


@contextlib.contextmanager
def recorded(layout: ResultsLayout, run: RunManifest) -> Iterator[RunManifest]:
    """Keep the manifest of `run` true while the block carries it out: running, then finished, or failed with its error.

    The block fills in `counts` and `times`; the wall time is measured here.
    """
    clock = time.monotonic()
    run.status, run.error, run.finished = "running", None, None
    write_manifest(layout, run)
    try:
        yield run
        run.status = "finished"
    except BaseException as error:
        run.status, run.error = "failed", f"{type(error).__name__}: {error}"[:2000]
        raise
    finally:
        run.finished = now()
        run.times.wall_seconds = time.monotonic() - clock
        write_manifest(layout, run)


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
    """Return the oldest run over this archive with this bundle that wrote its plan and then died, or None."""
    for run in list_runs(layout):
        same = run.archive_url == archive_url and run.bundle_digest == bundle_digest
        if same and run.kind == "run" and run.status != "finished":
            return run
    return None
