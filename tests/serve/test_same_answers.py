"""The night, the command line, Python and the API give the same answer for the same file, bit for bit, at any operating points."""

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from jobs.hidden_names import with_sites
from schemas.answer import Answer
from schemas.bundle import BundleManifest, Calibration, OperatingPoint, Overrides, SitePoints
from schemas.operating_points import OperatingPoints
from screening.archive.reader import ObjectReader
from screening.bundle import operating_points
from screening.bundle.checks import load_manifest
from screening.bundle.pointer import BundlePointer, point_to
from screening.ingest.identity import SHORT_DIGITS
from screening.ingest.sites import pseudonym_of
from screening.on_demand.open_bundle import OpenBundle
from screening.phantom.sites import SITES
from screening.privacy import Pseudonymizer
from screening.run.screen import Night, screen
from tests.archives import phantom_archive
from tests.nights import KEY, night, only, rows_of
from tests.served import LISTED, Served

STUDIES = 12
SITE = f"site-{pseudonym_of(SITES[0].name, 'InstitutionName', Pseudonymizer(KEY))[:SHORT_DIGITS]}"  # in rows: no sites file lists it
EVERYBODY = OperatingPoint(threshold=0.0, rule="everybody", data="none")
SELDOM = OperatingPoint(threshold=0.1 + 0.7, rule="seldom", data="none")
OTHER_POINTS = {
    "for all images": Overrides(operating_points={"pneumonia": EVERYBODY, "covid": SELDOM}),
    "for single sites": Overrides(
        sites={
            SITE: SitePoints(
                operating_points={"pneumonia": EVERYBODY, "covid": SELDOM},
                calibration={"covid": Calibration(slope=1 / 3, intercept=0.1, data="none")},
            ),
            LISTED: SitePoints(operating_points={"pneumonia": EVERYBODY}),
        }
    ),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    return phantom_archive(tmp_path_factory.mktemp("archive"), STUDIES, unwanted_fraction=0.4, size=512)


def night_of(served: Served, archive: str, results: Path) -> Night:
    """Return a night without an audit, with the sites file of the server."""
    made = night(archive, results, served.bundle_url, audit_fraction=0.0)
    return dataclasses.replace(made, config=with_sites(made.config, served.settings.sites_file, KEY))


def check_same(served: Served, rows: list[dict[str, Any]], scored: list[Answer], bundle: BundleManifest) -> None:
    """Check that rows of a night, what was scored on demand and what the server says are the same answers by `bundle`."""
    by_url = {answer.file: answer for answer in scored}
    assert len(rows) == len(by_url)
    with ObjectReader(2**30) as reader:
        for row in rows:
            stored = Answer.of(row, bundle, row["object_url"])
            assert stored == by_url[row["object_url"]]
            if stored.reason not in ("object_missing", "too_large"):
                reply = served.ask("/v1/score", reader.read(row["object_url"]) or b" ", Content_Type="application/dicom")
                [answer] = reply.json()["answers"]
                sent = Answer.model_validate(answer)
                assert sent == stored.model_copy(update={"file": None}), row["object_url"]
                assert np.float32(sent.pneumonia_logit or 0) == np.float32(row["pneumonia_logit"] or 0)


def test_all_doors_give_one_answer(served: Served, archive: str, tmp_path: Path) -> None:
    only(screen(night_of(served, archive, tmp_path)))
    rows = rows_of(tmp_path, served.bundle_url).to_pylist()
    with OpenBundle(served.bundle_url, pseudonym_key=KEY, sites_file=served.settings.sites_file) as bundle:
        check_same(served, rows, [one.answer for one in bundle.score(archive, heatmaps=False)], bundle.manifest)
    outcomes = {(row["outcome"], row["stage_reached"]) for row in rows}
    assert {("scored", "pneumonia"), ("scored", "covid"), ("rejected", "index")} <= outcomes


@pytest.mark.slow  # a night each
@pytest.mark.parametrize("points", OTHER_POINTS.values(), ids=OTHER_POINTS)
def test_all_doors_give_one_answer_at_other_operating_points(served: Served, archive: str, tmp_path: Path, points: Overrides) -> None:
    own, file = load_manifest(served.bundle_url), str(tmp_path / "points.json")
    chosen = OperatingPoints(bundle_digest=own.digest(), chosen=date(2020, 3, 1), points=points.operating_points, sites=points.sites)
    operating_points.save(file, chosen)
    only(screen(dataclasses.replace(night_of(served, archive, tmp_path / "results"), operating_points_url=file)))
    rows = rows_of(tmp_path / "results", served.bundle_url, points).to_pylist()
    judges = {row["InstitutionName"]: row["operating_point"] for row in rows if row["outcome"] == "scored"}
    assert {SITE, LISTED} < judges.keys()
    assert judges == {site: "site" if site in points.sites else "bundle" for site in judges}

    names = ["--pseudonym-key", served.settings.pseudonym_key, "--sites", served.settings.sites_file]
    options = ["--bundle", served.bundle_url, "--operating-points", file, *names, "--json"]
    told = CliRunner().invoke(make_app(), ["score", archive, *options], catch_exceptions=False).stdout
    point_to(served.settings.bundle, BundlePointer(bundle_url=served.bundle_url, **dict(points)))
    try:
        served.await_bundle(points.applied(own).digest())
        check_same(served, rows, [Answer.model_validate_json(line) for line in told.splitlines()], points.applied(own))
    finally:
        point_to(served.settings.bundle, BundlePointer(bundle_url=served.bundle_url))
        served.await_bundle(own.digest())
