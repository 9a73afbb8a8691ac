"""The night, `screening.score` and the API give the same answer for the same file, bit for bit."""

from pathlib import Path

import numpy as np

from schemas.answer import Answer
from screening.archive.reader import ObjectReader
from screening.on_demand.open_bundle import OpenBundle
from screening.run.screen import screen
from tests.archives import phantom_archive
from tests.nights import KEY, night, only, rows_of
from tests.served import Served

STUDIES = 12


def test_three_doors_give_one_answer(served: Served, tmp_path: Path) -> None:
    archive = phantom_archive(tmp_path / "archive", STUDIES, unwanted_fraction=0.4, size=512)
    only(screen(night(archive, tmp_path / "results", served.bundle_url, audit_fraction=0.0)))
    rows = rows_of(tmp_path / "results", served.bundle_url).to_pylist()
    with OpenBundle(served.bundle_url, pseudonym_key=KEY) as bundle, ObjectReader(2**30) as reader:
        by_url = {one.answer.file: one.answer for one in bundle.score(archive, heatmaps=False)}
        assert len(rows) == len(by_url)
        outcomes = set()
        for row in rows:
            stored = Answer.of(row, bundle.manifest, row["object_url"])
            assert stored == by_url[row["object_url"]]
            outcomes.add((stored.outcome, stored.stage_reached))
            if stored.reason not in ("object_missing", "too_large"):
                reply = served.ask("/v1/score", reader.read(row["object_url"]) or b" ", Content_Type="application/dicom")
                [answer] = reply.json()["answers"]
                sent = Answer.model_validate(answer)
                assert sent == stored.model_copy(update={"file": None}), row["object_url"]
                assert np.float32(sent.pneumonia_logit or 0) == np.float32(row["pneumonia_logit"] or 0)
    assert {("scored", "pneumonia"), ("scored", "covid"), ("rejected", "index")} <= outcomes
