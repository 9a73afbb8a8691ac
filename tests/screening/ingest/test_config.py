"""What ingest can be told comes back from JSON, also from that of an earlier version."""

import dataclasses
import json

from screening.dicom.limits import Limits
from screening.ingest.config import IngestConfig
from screening.ingest.sites import ListedTexts


def test_it_comes_back_from_json() -> None:
    config = IngestConfig(min_age_years=15, min_side=64, pseudonymize_uids=True, limits=Limits(max_pixels=10))
    assert IngestConfig.from_json(json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_an_earlier_version_listed_no_texts() -> None:
    stored = dataclasses.asdict(IngestConfig(min_side=64))
    del stored["listed_texts"]
    assert IngestConfig.from_json(stored) == IngestConfig(min_side=64, listed_texts=ListedTexts())
