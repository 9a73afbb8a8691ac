"""Where everything lies inside a results folder: one place knows the names."""

from dataclasses import dataclass
from datetime import date

from schemas.bundle import DIGEST_LENGTH


@dataclass(frozen=True)
class ResultsLayout:
    """Names under one results URL, which any fsspec filesystem can hold."""

    root: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.rstrip("/"))

    @property
    def runs(self) -> str:
        """Folder of all runs."""
        return f"{self.root}/runs"

    def manifest(self, run_id: str) -> str:
        """What was asked of a run, with what, and what came of it (JSON)."""
        return f"{self.runs}/{run_id}/manifest.json"

    def index(self, run_id: str) -> str:
        """The archive as the run found it (INDEX_SCHEMA)."""
        return f"{self.runs}/{run_id}/index.parquet"

    def plan(self, run_id: str) -> str:
        """The rows that the run answers, one row group a shard (PLAN_SCHEMA)."""
        return f"{self.runs}/{run_id}/plan.parquet"

    def log(self, run_id: str) -> str:
        """Folder of what driver and workers of the run logged (JSON lines)."""
        return f"{self.runs}/{run_id}/log"

    def instances(self, bundle_digest: str) -> str:
        """Folder of every committed part of one bundle."""
        return f"{self.root}/instances/bundle={bundle_digest[:DIGEST_LENGTH]}"

    def night(self, bundle_digest: str, screen_date: date) -> str:
        """Folder of the committed parts of one bundle and night.

        Its name is no column's. pandas and Arrow read `name=value` in a folder's name as a text column, and refuse a part that has a
        column of this name in another type.
        """
        return f"{self.instances(bundle_digest)}/night={screen_date.isoformat()}"

    def earlier_night(self, bundle_digest: str, screen_date: date) -> str:
        """The folder that earlier versions wrote a night to; nights that lie there are read, resumed and redriven there."""
        return f"{self.instances(bundle_digest)}/screen_date={screen_date.isoformat()}"

    def heatmap_folder(self, bundle_digest: str) -> str:
        """Folder of every heatmap zip of one bundle."""
        return f"{self.root}/heatmaps/bundle={bundle_digest[:DIGEST_LENGTH]}"

    def part(self, bundle_digest: str, screen_date: date, shard_id: str) -> str:
        """The Parquet file whose existence commits a shard (INSTANCE_SCHEMA)."""
        return f"{self.night(bundle_digest, screen_date)}/part-{shard_id}.parquet"

    def earlier_part(self, bundle_digest: str, screen_date: date, shard_id: str) -> str:
        """The same file of a shard that an earlier version committed."""
        return f"{self.earlier_night(bundle_digest, screen_date)}/part-{shard_id}.parquet"

    def heatmaps(self, bundle_digest: str, screen_date: date, shard_id: str) -> str:
        """The zip file with a shard's heatmaps."""
        return f"{self.heatmap_folder(bundle_digest)}/screen_date={screen_date.isoformat()}/{shard_id}.zip"

    @property
    def nights(self) -> str:
        """Folder of the records of nightly jobs."""
        return f"{self.root}/nights"

    def night_record(self, night_id: str) -> str:
        """What each step of one nightly job did (JSON)."""
        return f"{self.nights}/{night_id}.json"

    def report(self, screen_date: date) -> str:
        """The report that a nightly job writes (HTML)."""
        return f"{self.root}/reports/{screen_date.isoformat()}.html"

    @property
    def registry(self) -> str:
        """Folder of what was done with bundles: registered, promoted, rolled back."""
        return f"{self.root}/registry"

    def registry_entry(self, number: int) -> str:
        """One entry of the registry (JSON)."""
        return f"{self.registry}/entry-{number:06}.json"

    @property
    def readings(self) -> str:
        """Folder of what radiologists recorded."""
        return f"{self.root}/readings"

    def reading(self, day: date, reading_id: str) -> str:
        """One reading (READING_SCHEMA, one row)."""
        return f"{self.readings}/{day.isoformat()}/{reading_id}.parquet"


def shard_id_of_part(url: str) -> str:
    """Return the shard that a part's URL or path names."""
    return url.rsplit("/", 1)[-1].removeprefix("part-").removesuffix(".parquet")
