"""Answers with pictures, the files that they are about, and a small results folder with both, made without a cascade."""

import datetime as dt
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from schemas.answer import Answer
from schemas.bundle import BundleManifest, Network, OperatingPoint
from schemas.heatmap import URL_COLUMN, HeatmapKind, member_name
from schemas.reasons import Reason
from schemas.run import RunManifest
from screening.archive.index import scan
from screening.dicom.writer import StudyAttributes, write_dicom
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.on_demand.scored import Scored
from screening.privacy import UrlSeal
from screening.results.layout import ResultsLayout
from screening.results.manifests import write_manifest
from screening.shard.heatmaps import png_of
from screening.storage import put_atomic
from tests.dicom_files import dciodvfy_errors, picture, study
from tests.screening.instance_rows import NIGHT, pneumonia_row, refused_row, write_instances

WHEN = dt.datetime(2020, 3, 1, 2, 3, 4, tzinfo=dt.UTC)
PNG = png_of(picture(8, shape=(310, 200)))  # no DICOM header
# dciodvfy warns of every private coding scheme, of a Laterality that is empty (one that is absent is an error for it), and of type 2
# attributes that the source has empty
EXPECTED_WARNINGS = (
    "Warning - Unrecognized defined term <99CXRSCREEN>",
    "Warning - is only permitted to be empty when actually unknown",
    "Warning - Missing attribute or value that would be needed to build DICOMDIR",
)


def bundle_manifest(name: str = "test", threshold: float = 0.25) -> BundleManifest:
    """Return the manifest of a bundle whose weights are nowhere."""
    point = OperatingPoint(threshold=threshold, rule="sensitivity >= 0.9", data="tuning split")
    networks = {
        stage: Network(architecture="unet" if stage == "lungs" else "densenet", input_size=64, file=f"{stage}.safetensors", sha256="0" * 64)
        for stage in ("lungs", "pneumonia", "covid")
    }
    return BundleManifest(name=name, networks=networks, operating_points={"pneumonia": point, "covid": point})


BUNDLE = bundle_manifest()


def dicom_file(shape: tuple[int, int] = (300, 200), **attributes: Any) -> bytes:
    """Return a radiograph-like DICOM file of (rows, columns), with attributes of its header changed."""
    return write_dicom(picture(12, shape=shape), attributes_of(**attributes))


def attributes_of(**attributes: Any) -> StudyAttributes:
    """Return the header that `dicom_file` writes."""
    return study(**({"PatientID": "P-1", "PatientName": "Dœ^Jo", "StudyDescription": "Thorax à deux"} | attributes))


def columns(shape: tuple[int, int] = (300, 200), **changed: Any) -> dict[str, Any]:
    """Return the columns of a row that is positive in both stages."""
    row = pneumonia_row(1, covid=True, lung_area_fraction=0.2, pixel_hash=None)
    return row | {"Rows": shape[0], "Columns": shape[1]} | changed


def lung_mask() -> np.ndarray:
    """Return (512, 512) uint8: two rectangles, the left one higher."""
    mask = np.zeros((512, 512), np.uint8)
    mask[100:300, 180:240] = mask[150:350, 270:330] = 255
    return mask


def heatmaps() -> dict[HeatmapKind, np.ndarray]:
    """Return a heatmap of every kind that a form shows, (512, 512) uint8."""
    ramp = (np.mgrid[:512, :512].sum(0) // 4).astype(np.uint8)
    return {HeatmapKind.LUNGS: lung_mask(), HeatmapKind.PNEUMONIA: ramp, HeatmapKind.COVID: ramp.T[::-1].copy()}


def scored(data: bytes | None = None, *, bundle: BundleManifest = BUNDLE, **changed: Any) -> Scored:
    """Return an answer that is positive in both stages, with every picture; `changed` are columns of its row."""
    pixels = ingest(dicom_file() if data is None else data, IngestConfig(), None).pixels
    return Scored(Answer.of(columns(**changed), bundle), pixels, heatmaps())


def refused(reason: Reason = Reason.LATERAL_VIEW, detail: str = "ViewPosition is LL: send the frontal view.") -> Scored:
    """Return the answer to a radiograph that has none."""
    return Scored(Answer.of(refused_row(2, reason, detail=detail), BUNDLE))


def faults(data: bytes, folder: Path) -> list[str]:
    """Return what dciodvfy finds wrong with a DICOM file, without the warnings that no private code can avoid."""
    return [line for line in dciodvfy_errors(data, folder) if not line.startswith(EXPECTED_WARNINGS)]


def results_folder(folder: Path, files: dict[str, bytes], *, key: bytes | None = None, bundle: BundleManifest = BUNDLE) -> str:
    """Write an archive of files and the results of one run over it, all rows scored with heatmaps; return the results' URL.

    Files whose name begins with "refused" have a row that says so, and those that begin with "bare" no heatmaps. With a `key` the
    names of the files are encrypted.
    """
    archive, results, weights = folder / "archive", folder / "results", folder / "bundle"
    for name, data in files.items():
        put_atomic(str(archive / name), data)
    put_atomic(str(weights / "bundle.json"), json.dumps(bundle.model_dump(mode="json")).encode())
    layout, seal = ResultsLayout(str(results)), UrlSeal(key) if key else None
    rows, zipped = [], io.BytesIO()
    zip_url = layout.heatmaps(bundle.digest(), NIGHT, "0" * 16)
    with zipfile.ZipFile(zipped, "w") as members:
        for number, listed in enumerate(row for batch in scan(str(archive)) for row in batch.to_pylist()):
            name, data = Path(listed["object_url"]).name, files[Path(listed["object_url"]).name]
            known = ingest(data, IngestConfig(), None).columns
            row = refused_row(number, Reason.LATERAL_VIEW) if name.startswith("refused") else pneumonia_row(number, covid=True)
            row |= {key: known.get(key) for key in ("Rows", "Columns", "pixel_hash")} | listed | {"bundle_digest": bundle.digest()}
            row["lung_mask_url"] = None
            if row["outcome"] == "scored" and not name.startswith("bare"):
                for kind, values in heatmaps().items():
                    member = member_name(row["object_id"], kind)
                    members.writestr(member, png_of(values))
                    row[URL_COLUMN[kind]] = f"zip://{member}::{zip_url}"
            rows.append(row | ({"object_url": seal.seal(row["object_url"])} if seal else {}))
    put_atomic(zip_url, zipped.getvalue())
    write_instances(str(results), rows)
    write_manifest(layout, run_of(str(archive), str(weights), bundle, seal))
    return str(results)


def run_of(archive: str, bundle_url: str, bundle: BundleManifest, seal: UrlSeal | None = None) -> RunManifest:
    """Return the manifest of the run that `results_folder` stands for."""
    return RunManifest(
        run_id="20200301T000000Z-000000",
        status="finished",
        archive_url=seal.seal(archive) if seal else archive,
        results_url="results",
        bundle_url=bundle_url,
        bundle_name=bundle.name,
        bundle_digest=bundle.digest(),
        screen_date=NIGHT,
        configuration={},
        started=WHEN,
    )
