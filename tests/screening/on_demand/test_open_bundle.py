"""A bundle that scores files: the same as ingest and cascade one by one, whatever else is scored, and a reason for what cannot be."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from schemas.bundle import OperatingPoint, SitePoints
from schemas.heatmap import HeatmapKind
from schemas.reasons import Outcome, Reason, Stage
from screening.bundle.released import phantom_bundle
from screening.cascade.cascade import Cascade
from screening.errors import ArchiveError, BundleError, UsageError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.on_demand.open_bundle import READ_AHEAD_FILES, OpenBundle
from screening.privacy import Pseudonymizer
from tests.archives import phantom_dicom

FILES = [phantom_dicom(seed, finding, 512) for seed, finding in ((0, "normal"), (3, "pneumonia"), (1, "covid"))]
KEY = b"a pseudonym key for tests"
COMPARED = ("lung_area_fraction", "pneumonia_logit", "pneumonia_probability", "pneumonia_positive", "covid_logit", "covid_positive")


@pytest.fixture(scope="module")
def bundle() -> Iterator[OpenBundle]:
    with OpenBundle(phantom_bundle(), pseudonym_key=KEY) as opened:
        yield opened


def test_answers_are_those_of_ingest_and_cascade(bundle: OpenBundle) -> None:
    cascade = Cascade.from_bundle(phantom_bundle())
    scored = list(bundle.score(FILES))
    for content, one in zip(FILES, scored, strict=True):
        alone = ingest(content, IngestConfig(), Pseudonymizer(KEY))
        result = cascade(alone.pixels[None, None])
        assert np.array_equal(one.pixels, alone.pixels)
        assert all(getattr(one.answer, name) == value for name, value in alone.columns.items())
        for name in COMPARED:
            value, expected = getattr(one.answer, name), getattr(result, name)[0]
            assert value == expected or (value is None and np.isnan(expected)), name
    assert scored[2].answer.covid_positive
    assert scored[2].answer.stage_reached == Stage.COVID
    assert scored[2].heatmaps.keys() == set(HeatmapKind)
    assert {picture.shape for picture in scored[2].heatmaps.values()} == {(512, 512)}


def test_an_answer_does_not_depend_on_the_others(bundle: OpenBundle) -> None:
    many = [FILES[i % 3] for i in range(2 * READ_AHEAD_FILES + 3)]
    alone = [next(bundle.score(content, heatmaps=False)).answer for content in FILES]
    assert [scored.answer for scored in bundle.score(many, heatmaps=False)] == [alone[i % 3] for i in range(len(many))]


def test_what_cannot_be_scored_has_its_place_and_its_reason(bundle: OpenBundle, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "folder" / "lost.dcm")
    first, refused, lost, last = (one.answer for one in bundle.score([FILES[0], FILES[1][:2000], tmp_path / "folder", FILES[0]]))
    assert (first.outcome, last.outcome) == (Outcome.SCORED, Outcome.SCORED)
    assert (refused.outcome, refused.reason) == (Outcome.REJECTED, Reason.TRUNCATED)
    assert (lost.outcome, lost.reason, lost.stage_reached) == (Outcome.FAILED, Reason.OBJECT_MISSING, Stage.INDEX)
    assert lost.file.endswith("folder/lost.dcm")
    [nothing] = bundle.score(b"")
    assert (nothing.answer.reason, nothing.pixels, nothing.heatmaps) == (Reason.TRUNCATED, None, {})


def test_pictures_are_made_only_where_they_are_asked_for(bundle: OpenBundle) -> None:
    [without] = bundle.score(FILES[2], heatmaps=False)
    assert without.heatmaps == {}
    assert without.answer == next(bundle.score(FILES[2])).answer


def test_pseudonyms_need_a_key(bundle: OpenBundle) -> None:
    with OpenBundle(phantom_bundle()) as without_a_key:
        assert next(without_a_key.score(FILES[0])).answer.patient_pseudonym is None
    assert next(bundle.score(FILES[0])).answer.patient_pseudonym == Pseudonymizer(KEY).pseudonym("TEST-0", "PatientID")


def test_a_sites_file_names_sites_as_in_rows_and_goes_with_a_key(tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text("attribute,value,shown_as\nInstitutionName,Northgate General,Northgate\n")
    phantom = pydicom.dcmread(io.BytesIO(FILES[2]))
    phantom.InstitutionName = "Northgate General"
    phantom.save_as(tmp_path / "a.dcm")
    own = {"Northgate": SitePoints(operating_points={"pneumonia": OperatingPoint(threshold=1.0, rule="none", data="a test")})}
    with OpenBundle(phantom_bundle(), sites=own, pseudonym_key=KEY, sites_file=str(tmp_path / "sites.csv")) as opened:
        there, elsewhere = (one.answer for one in opened.score([tmp_path / "a.dcm", FILES[2]], heatmaps=False))
    assert (there.InstitutionName, there.pneumonia_threshold, there.pneumonia_positive) == ("Northgate", 1.0, False)
    assert (elsewhere.InstitutionName, elsewhere.pneumonia_positive) == (None, True)
    with pytest.raises(UsageError, match="goes with the pseudonym key"):
        OpenBundle(phantom_bundle(), sites_file=str(tmp_path / "sites.csv"))


def test_other_operating_points(bundle: OpenBundle) -> None:
    strict = {"pneumonia": OperatingPoint(threshold=1.0, rule="none", data="a test")}
    with OpenBundle(phantom_bundle(), operating_points=strict) as opened:
        answer = next(opened.score(FILES[2])).answer
    own = next(bundle.score(FILES[2])).answer
    assert (answer.pneumonia_positive, answer.pneumonia_threshold, answer.covid_score) == (False, 1.0, None)
    assert answer.pneumonia_score == own.pneumonia_score
    assert answer.bundle_digest != own.bundle_digest


def test_what_is_not_there(bundle: OpenBundle, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such folder"):
        list(bundle.score(tmp_path / "none.dcm"))
    with pytest.raises(BundleError, match=r"bundle\.json"):
        OpenBundle(str(tmp_path))
    assert "synthetic-small" in repr(bundle)
