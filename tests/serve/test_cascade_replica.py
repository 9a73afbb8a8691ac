"""A replica in this process: which bundle it starts with, and to which it changes over."""

import asyncio
import logging
from pathlib import Path

import numpy as np
import pytest

from schemas.bundle import OperatingPoint
from schemas.service import ServiceSettings
from screening.bundle.pointer import BundlePointer, point_to
from screening.errors import BundleError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from serve import cascade_replica
from serve.cascade_replica import CascadeReplica
from serve.question import Question
from tests.archives import phantom_dicom
from tests.screening.small_bundle import save_small_bundle
from tests.served import await_that

AT_POINTS = BundlePointer(bundle_url="new", operating_points={"covid": OperatingPoint(threshold=0.125, rule="r", data="d")})


def digest_of(replica: CascadeReplica) -> str:
    digest = asyncio.run(replica.in_use()).digest
    assert asyncio.run(replica.manifest()).digest() == digest
    return digest


def test_another_bundle_than_the_file_names_does_not_start(tmp_path: Path) -> None:
    settings = ServiceSettings(bundle=str(tmp_path / "current.json"), open=True, device="cpu")
    named = AT_POINTS.model_copy(update={"bundle_digest": AT_POINTS.applied(save_small_bundle(tmp_path / "new")).digest()})
    point_to(settings.bundle, named)
    assert digest_of(CascadeReplica(settings)) == named.bundle_digest
    save_small_bundle(tmp_path / "new", half=True)  # other weights under the same name
    with pytest.raises(BundleError, match="put that one back"):
        CascadeReplica(settings)


def test_the_image_travels_back_only_beside_its_heatmaps(tmp_path: Path) -> None:
    limit = save_small_bundle(tmp_path / "bundle").preprocessing.min_age_years
    replica = CascadeReplica(ServiceSettings(bundle=str(tmp_path / "bundle"), open=True, device="cpu"))
    ingested = ingest(phantom_dicom(0), IngestConfig(min_age_years=limit), None)
    plain, pictured = (asyncio.run(replica.ask(Question(ingested, limit, heatmaps=heatmaps))) for heatmaps in (False, True))
    assert (plain.answer, plain.pixels, plain.heatmaps) == (pictured.answer, None, {})
    assert np.array_equal(pictured.pixels, ingested.pixels)


def test_the_bundle_in_use_stays_until_the_one_that_the_file_names_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cascade_replica, "FOLLOW_SECONDS", 0.02)
    caplog.set_level(logging.INFO)
    settings = ServiceSettings(bundle=str(tmp_path / "current.json"), open=True, device="cpu")
    old, expected = save_small_bundle(tmp_path / "old"), AT_POINTS.applied(save_small_bundle(tmp_path / "new"))
    save_small_bundle(tmp_path / "new", half=True)
    point_to(settings.bundle, BundlePointer(bundle_url="old"))
    replica = CascadeReplica(settings)
    point_to(settings.bundle, AT_POINTS.model_copy(update={"bundle_digest": expected.digest()}))
    await_that(lambda: "the bundle in use stays" in caplog.text)
    assert digest_of(replica) == old.digest()
    save_small_bundle(tmp_path / "new")
    await_that(lambda: digest_of(replica) == expected.digest())
    assert caplog.text.count("put that one back, or register and promote this one") == 1, "once, and not at each look"
