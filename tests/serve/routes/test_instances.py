"""`/v1/instances`: what a night stored comes back, to who reads nights as it is and to a blind reader without what gives it away."""

import io

import numpy as np
import pytest
from PIL import Image

from schemas.heatmap import HeatmapKind
from schemas.stored import JUDGEMENTS
from screening.bundle.checks import load_manifest
from tests.archives import phantom_dicom
from tests.served import Served
from tests.stored_nights import StoredNight

COVID = (6, "covid")


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def row(stored_night: StoredNight) -> dict[str, object]:
    """The row of a radiograph that no test reads."""
    return next(row for row in stored_night.rows if row["object_url"].endswith("0006-covid.dcm"))


def test_the_stored_answer_is_what_the_bundle_says(served: Served, row: dict[str, object]) -> None:
    answer = served.ask(f"/v1/instances/{row['SOPInstanceUID']}", token="read").json()
    [asked] = served.score(phantom_dicom(*COVID, 512)).json()["answers"]
    apart = {"image", "heatmaps", "file", "InstitutionName", "patient_pseudonym"}
    assert {name: answer[name] for name in asked.keys() - apart} == {name: value for name, value in asked.items() if name not in apart}
    assert (answer["object_id"], answer["screen_date"], answer["withheld"]) == (row["object_id"], "2020-03-01", None)
    assert answer["covid_threshold"] == load_manifest(served.bundle_url).operating_points["covid"].threshold
    assert served.ask(f"/v1/instances/{row['object_id']}", token="read").json() == answer


def test_its_pictures_are_those_of_the_answer_on_demand(served: Served, row: dict[str, object]) -> None:
    answer = served.ask(f"/v1/instances/{row['object_id']}", token="read").json()
    [asked] = served.score(phantom_dicom(*COVID, 512), query="?heatmaps=true").json()["answers"]
    assert answer["heatmaps"].keys() == asked["heatmaps"].keys() == set(HeatmapKind)
    for url, data in [(answer["image"], asked["image"]), *((answer["heatmaps"][kind], asked["heatmaps"][kind]) for kind in HeatmapKind)]:
        reply = served.ask(url, token="read")
        assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
        with served_data(data) as expected:
            assert np.array_equal(pixels(reply.body), np.asarray(expected))


def served_data(url: str) -> Image.Image:
    import base64

    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))


def test_a_blind_reader_sees_the_radiograph_and_nothing_of_the_cascade(served: Served, row: dict[str, object]) -> None:
    for token in ("review", "all"):
        answer = served.ask(f"/v1/instances/{row['object_id']}", token=token).json()
        assert [answer[name] for name in JUDGEMENTS] == [None] * len(JUDGEMENTS)
        assert answer["heatmaps"] == {}
        assert "until you have recorded your reading" in answer["withheld"]
        assert served.ask(answer["image"], token=token).status == 200
        for kind in HeatmapKind:
            refused = served.ask(f"/v1/instances/{row['object_id']}/heatmaps/{kind}.png", token=token)
            assert refused.status == 403
            assert "POST /v1/readings" in refused.json()["detail"]


def test_what_was_refused_has_its_reason_and_no_picture(served: Served, stored_night: StoredNight) -> None:
    refused = next(row for row in stored_night.rows if row["outcome"] == "rejected")
    answer = served.ask(f"/v1/instances/{refused['object_id']}", token="read").json()
    assert (answer["outcome"], answer["reason"], answer["image"], answer["heatmaps"]) == ("rejected", "not_dicom", None, {})
    assert served.ask(f"/v1/instances/{refused['object_id']}/image.png", token="read").status == 404


@pytest.mark.parametrize("path", ["1.2.3", "1.2.3/image.png", "1.2.3/heatmaps/covid.png"])
def test_who_is_unknown_is_not_found(served: Served, path: str) -> None:
    reply = served.ask(f"/v1/instances/{path}", token="read")
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert "no night has a row" in reply.json()["detail"]


def test_a_kind_of_heatmap_that_there_is_not(served: Served, stored_night: StoredNight) -> None:
    negative = stored_night.row("normal")
    assert served.ask(f"/v1/instances/{negative['object_id']}/heatmaps/covid.png", token="read").status == 404
    assert served.ask(f"/v1/instances/{negative['object_id']}/heatmaps/liver.png", token="read").status == 422
