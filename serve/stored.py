"""The nights of a results folder: stored answers, the list of positives, heatmaps and radiographs.

DuckDB connections are used by one thread at a time, and a request that asks one never holds up the event loop. When parts or manifests
appear or change, another connection is opened beside the one that answers, and takes its place when it is ready.
"""

import asyncio
import datetime as dt
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import duckdb

from schemas.bundle import BundleManifest
from schemas.heatmap import HeatmapKind
from schemas.run import RunManifest
from schemas.service import ServiceSettings
from screening.analytics.views import ViewRow, ViewRows, connect, keep
from screening.archive.reader import ObjectReader
from screening.archive.source import IndexedObject, identity_of
from screening.bundle.checks import load_manifest
from screening.bundle.pointer import bundle_in_use
from screening.errors import ScreeningError
from screening.privacy import SEALED, UrlSeal, load_key
from screening.results.heatmaps import read_heatmap
from screening.results.layout import ResultsLayout
from screening.results.manifests import bundle_of, list_runs
from screening.storage import filesystem_of, join
from serve.problems import Refused, busy

LOOK_SECONDS = 3.0  # at least, between two looks at what lies in the results folder
MOST_ROWS = 100  # that one SOPInstanceUID is looked at in: those of several bundles, and of copies
REMEMBERED_ROWS = 256  # of which somebody asks for the answer and then for each picture

ROW = """
with asked as (
    select instance_rows.bundle_digest, coalesce(duplicate_of, instance_rows.object_id) as object_id
    from instance_rows
    left join duplicates
        on instance_rows.bundle_digest = duplicates.bundle_digest and instance_rows.object_id = duplicates.object_id
    where instance_rows.object_id = $uid or SOPInstanceUID = $uid
)
select instance_rows.*
from instance_rows
semi join asked
    on instance_rows.bundle_digest = asked.bundle_digest and instance_rows.object_id = asked.object_id
order by list_position($bundles::varchar[], instance_rows.bundle_digest) desc nulls last, screen_date desc, instance_rows.object_id
limit $most
"""
POSITIVES = """
from worklist
where screen_date = $night and bundle_digest = $bundle and ($site is null or InstitutionName = $site)
order by urgency
"""

log = logging.getLogger(__name__)

Found = TypeVar("Found")
Fingerprint = frozenset[tuple[str, IndexedObject]]


@dataclass(frozen=True)
class Opened:
    """One connection and what was read together with it. `nights`: each night, the last one first, with the bundle that counts for it."""

    fingerprint: Fingerprint
    connection: duckdb.DuckDBPyConnection
    runs: list[RunManifest]
    nights: dict[dt.date, str]
    rows: OrderedDict[str, ViewRow | None] = field(default_factory=OrderedDict)

    @property
    def bundles(self) -> list[str]:
        """Digests of the bundles, the one of the latest run last."""
        return list({run.bundle_digest: None for run in reversed(self.runs)})[::-1]

    def row(self, uid: str) -> ViewRow | None:
        """Return the row that counts for a SOPInstanceUID or object_id: of several bundles, that of the one whose run is the latest.

        Raises Refused 409 for a SOPInstanceUID that two radiographs share.
        """
        if uid not in self.rows:
            asked = {"uid": uid, "bundles": self.bundles, "most": MOST_ROWS}
            found = self.connection.sql(ROW, params=asked).to_arrow_table().to_pylist()
            if any(_differ(found[0], other) for other in found[1:]) and not self._is_object(uid):
                raise Refused(409, "several radiographs have this SOPInstanceUID: give its object_id, as the rows have it")
            self.rows[uid] = found[0] if found else None
            if len(self.rows) > REMEMBERED_ROWS:
                self.rows.popitem(last=False)
        return self.rows[uid]

    def _is_object(self, uid: str) -> bool:
        return bool(self.connection.sql("select 1 from instance_rows where object_id = $uid limit 1", params={"uid": uid}).fetchall())

    def positives(self, night: dt.date, site: str | None) -> ViewRows:
        """Return the positives of a night, most urgent first, by the bundle that counts for it."""
        asked = {"night": night, "bundle": self.nights[night], "site": site}
        return self.connection.sql(POSITIVES, params=asked).to_arrow_table().to_pylist()


class Stored:
    """What one gateway shows of a results folder."""

    def __init__(self, settings: ServiceSettings):
        """Nothing is opened before somebody asks. Raises UsageError where the pseudonym key cannot be read."""
        assert settings.results is not None
        self.url = settings.results
        self._settings = settings
        self._seal = UrlSeal(load_key(settings.pseudonym_key)) if settings.pseudonym_key else None
        self._reader = ObjectReader(settings.max_file_bytes)
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="stored")
        self._opening = asyncio.Lock()
        self._opened: Opened | None = None
        self._looked = -LOOK_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()

    async def row(self, uid: str) -> ViewRow:
        """Return the instance row that counts for a SOPInstanceUID or object_id. Raises Refused 404 where there is none, 409 for two."""
        row = await self._ask(lambda opened: opened.row(uid))
        if row is None:
            raise Refused(404, "no night has a row of this instance: give a SOPInstanceUID or object_id as the rows have it")
        return row

    async def bundle(self, digest: str) -> BundleManifest:
        """Return the manifest of the bundle that made a row. Raises Refused 409 where it is not at hand any more."""
        return await self._ask(lambda opened: self._bundle(opened, digest))

    async def nights(self) -> list[dt.date]:
        """Return the nights that have rows, the last one first."""
        return list((await self._current()).nights)

    async def positives(self, night: dt.date, site: str | None) -> ViewRows:
        """Return the rows of the view worklist of one of `nights`, most urgent first."""
        return await self._ask(lambda opened: opened.positives(night, site))

    async def heatmap(self, row: ViewRow, kind: HeatmapKind) -> bytes:
        """Return the PNG file of a heatmap. Raises Refused 404 where the night kept none of this kind, or it is gone."""
        png = await asyncio.get_running_loop().run_in_executor(None, read_heatmap, row, kind, self.url)
        if png is None:
            raise Refused(404, f"no {kind} map of this radiograph was kept: see --heatmaps of `screening run`")
        return png

    async def content(self, row: ViewRow) -> bytes:
        """Return the file that a row is about. Raises ImageRefused as the reader does, Refused 409 without the key of a sealed name."""
        url = row["object_url"]
        if url.startswith(SEALED):
            if self._seal is None:
                raise Refused(409, "the names of files are encrypted: start the server with --pseudonym-key, the key of the run")
            url = self._seal.open(url)
        identity = IndexedObject(row["object_bytes"], row["object_etag"])
        return await asyncio.get_running_loop().run_in_executor(None, self._reader.read, url, identity)

    def _bundle(self, opened: Opened, digest: str) -> BundleManifest:
        manifest = bundle_of(opened.runs, digest)
        if manifest is not None:
            return manifest
        in_use = bundle_in_use(self._settings.bundle, self._settings.operating_points)
        own = load_manifest(in_use.bundle_url)
        for manifest in (in_use.applied(own), own):  # nights may have judged at the bundle's own operating points
            if manifest.digest() == digest:
                return manifest
        raise Refused(409, f"bundle {digest[:12]} is not where its runs found it: put its folder back to see its thresholds")

    async def _ask(self, question: Callable[[Opened], Found]) -> Found:
        opened = await self._current()
        return await asyncio.get_running_loop().run_in_executor(self._asking, question, opened)

    async def _current(self) -> Opened:
        """Return what is open, and look for news in the background where the last look was a while ago."""
        async with self._opening:
            if self._opened is None:
                await self._look()
        if time.monotonic() - self._looked > LOOK_SECONDS and not self._tasks:
            task = asyncio.create_task(self._look())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._opened is None:
            raise busy("the results folder cannot be read: come back in a moment", 5)
        return self._opened

    async def _look(self) -> None:
        """Open the folder anew where anything in it has changed; where that fails, what was open stays."""
        try:
            self._opened = await asyncio.get_running_loop().run_in_executor(None, open_anew, self.url, self._opened)
        except (OSError, ScreeningError, duckdb.Error) as error:
            log.error("the results folder cannot be read: %s", type(error).__name__)
        self._looked = time.monotonic()


def name_of(row: ViewRow) -> str:
    """Return what the log calls a row."""
    return row["SOPInstanceUID"] or row["object_id"]


def _differ(row: ViewRow, other: ViewRow) -> bool:
    """Return whether two rows with one SOPInstanceUID are of two radiographs, as in `duplicates.sql`: other persons and other pixels."""
    same_pixels = row["pixel_hash"] is not None and row["pixel_hash"] == other["pixel_hash"]
    return row["patient_pseudonym"] != other["patient_pseudonym"] and not same_pixels


def open_anew(results_url: str, before: Opened | None = None) -> Opened:
    """Return a connection to what a results folder holds now; `before` itself where nothing has changed. Raises as `connect` does."""
    now = fingerprint_of(results_url)
    if before is not None and before.fingerprint == now:
        return before
    connection = connect(results_url)
    keep(connection, "duplicates", "worklist")
    runs = [run for run in list_runs(ResultsLayout(results_url)) if run.status != "planning"]
    order = {run.bundle_digest: place for place, run in enumerate(runs)}
    screened = connection.sql("select distinct screen_date, bundle_digest from instance_rows").fetchall()
    latest = sorted(screened, key=lambda pair: (pair[0], order.get(pair[1], -1), pair[1]))
    return Opened(now, connection, runs, dict(reversed(dict(latest).items())))


def fingerprint_of(results_url: str) -> Fingerprint:
    """Return the name and identity of each committed part and each manifest."""
    found = set()
    for folder, suffix in (("instances", ".parquet"), ("runs", "manifest.json")):
        fs, path = filesystem_of(join(results_url, folder))
        files = fs.find(path, detail=True) if fs.exists(path) else {}
        found |= {(name, identity_of(info)) for name, info in files.items() if name.endswith(suffix)}
    return frozenset(found)
