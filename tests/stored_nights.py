"""A results folder with a night over real files, made without Ray: phantoms that a bundle scored, their heatmaps, and the manifest."""

import io
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import screening
from schemas.heatmap import URL_COLUMN, member_name
from schemas.instance import INSTANCE_SCHEMA
from schemas.run import RunManifest
from screening.archive.index import scan
from screening.on_demand.open_bundle import OpenBundle
from screening.results.layout import ResultsLayout
from screening.results.manifests import now, write_manifest
from screening.shard.heatmaps import png_of
from screening.storage import put_atomic
from tests.archives import phantom_dicom
from tests.screening.instance_rows import write_instances

NIGHT = date(2020, 3, 1)
SITES = ("North", "South")


@dataclass(frozen=True)
class StoredNight:
    """Where it lies, and the rows as they were written."""

    url: str
    rows: list[dict[str, Any]]

    def row(self, finding: str) -> dict[str, Any]:
        """Return the first row that the cascade gave a finding."""
        calls = {"covid": (True, True), "pneumonia": (True, False), "normal": (False, False)}[finding]
        return next(row for row in self.rows if (row["pneumonia_positive"], row["covid_positive"]) == calls)


def make_night(folder: Path, bundle_url: str, phantoms: list[tuple[int, str]], night: date = NIGHT) -> StoredNight:
    """Screen phantoms of (seed, finding) into `folder/results`, and one file that is no image."""
    with screening.open_bundle(bundle_url) as bundle:
        return _make_night(folder, bundle_url, bundle, phantoms, night)


def _make_night(folder: Path, bundle_url: str, bundle: OpenBundle, phantoms: list[tuple[int, str]], night: date) -> StoredNight:
    archive = folder / f"archive-{night}"
    archive.mkdir(parents=True)
    for seed, finding in phantoms:
        (archive / f"{seed:04}-{finding}.dcm").write_bytes(phantom_dicom(seed, finding, 512))
    (archive / "text.dcm").write_bytes(b"no image")
    layout, shard_id, digest = ResultsLayout(str(folder / "results")), f"{night:%Y%m%d}" + "0" * 8, bundle.manifest.digest()
    zip_url, packed, rows = layout.heatmaps(digest, night, shard_id), io.BytesIO(), []
    objects = [row for table in scan(str(archive)) for row in table.to_pylist()]
    with zipfile.ZipFile(packed, "w") as maps:
        for number, found in enumerate(objects):
            [scored] = screening.score([found["object_url"].removeprefix("file://")], bundle)
            columns = {name: value for name, value in scored.answer.model_dump().items() if name in INSTANCE_SCHEMA.names}
            row = dict.fromkeys(INSTANCE_SCHEMA.names) | columns | found
            row |= {"screen_date": night, "shard_id": shard_id, "InstitutionName": SITES[number % 2]}
            row["patient_pseudonym"] = f"{number:032x}"
            for kind, picture in scored.heatmaps.items():
                maps.writestr(member_name(row["object_id"], kind), png_of(picture))
                row[URL_COLUMN[kind]] = f"zip://{member_name(row['object_id'], kind)}::file://{zip_url}"
            rows.append(row)
    put_atomic(zip_url, packed.getvalue())
    write_instances(layout.root, rows)
    facts = {"archive_url": str(archive), "results_url": layout.root, "bundle_name": bundle.manifest.name, "bundle_digest": digest}
    run = RunManifest(run_id=f"{night:%Y%m%d}T230000Z-000000", status="finished", bundle_url=bundle_url, screen_date=night, started=now(),
                      configuration={}, **facts)  # fmt: skip
    write_manifest(layout, run)
    return StoredNight(layout.root, rows)
