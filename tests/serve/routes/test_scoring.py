"""POST /v1/score: the answers of `screening.score`, refusals with a reason, and requests that are none."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pydicom
import pytest
from PIL import Image

from schemas.heatmap import HeatmapKind
from screening.on_demand.open_bundle import OpenBundle
from tests.archives import phantom_dicom
from tests.nights import KEY
from tests.served import Served, form

FILES = [phantom_dicom(seed, finding, 512) for seed, finding in ((0, "normal"), (3, "pneumonia"), (1, "covid"))]
PNG = io.BytesIO()
Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(PNG, "PNG")


def answers_of(reply) -> list[dict]:
    assert reply.status == 200, reply.body
    return reply.json()["answers"]


def test_the_answers_are_those_of_the_door(served: Served) -> None:
    answers = answers_of(served.score(*FILES, b"no image", query="?heatmaps=true"))
    with OpenBundle(served.bundle_url, pseudonym_key=KEY) as bundle:
        expected = list(bundle.score([*FILES, b"no image"]))
    for answer, scored in zip(answers, expected, strict=True):
        pictures = {"image": answer.pop("image"), **answer.pop("heatmaps")}
        assert answer | {"file": None} == json.loads(scored.answer.model_dump_json(exclude={"image", "heatmaps"}))
        known = {"image": scored.pixels, **scored.heatmaps} if scored.pixels is not None else {"image": None}
        assert pictures.keys() == known.keys()
        for name, url in pictures.items():
            if url is not None:
                shown = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
                assert np.array_equal(np.asarray(shown), known[name])
    assert [answer["outcome"] for answer in answers] == ["scored"] * 3 + ["rejected"]
    assert {HeatmapKind.LUNGS, HeatmapKind.COVID} <= expected[2].heatmaps.keys()


def test_a_file_may_be_the_body_itself(served: Served) -> None:
    [as_body] = answers_of(served.ask("/v1/score", FILES[1], Content_Type="application/dicom"))
    [as_part] = answers_of(served.score(FILES[1]))
    assert as_body["file"] is None
    assert as_part["file"] == "0.dcm"
    assert as_body | {"file": "0.dcm"} == as_part
    assert as_part["heatmaps"] == {}


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        (FILES[0][:3000], "application/dicom", "truncated"),
        (PNG.getvalue(), "application/dicom", "too_small"),  # mislabelled
        (b"%PDF-1.7 " + FILES[0], "image/png", "not_dicom"),
        (b"\x89PNG\r\n\x1a\n" + FILES[0], "application/octet-stream", "corrupt"),
    ],
)
def test_what_cannot_be_scored_is_answered_with_its_reason(served: Served, content: bytes, content_type: str, reason: str) -> None:
    [answer] = answers_of(served.ask("/v1/score", content, Content_Type=content_type))
    assert (answer["outcome"], answer["reason"]) == ("rejected", reason)
    assert answer["detail"]
    assert answer["pneumonia_score"] is None


def test_a_polyglot_is_what_its_preamble_allows(served: Served) -> None:
    png_before_dicom = PNG.getvalue()[:128] + FILES[0][128:]
    [answer] = answers_of(served.ask("/v1/score", png_before_dicom, Content_Type="image/png"))
    assert (answer["outcome"], answer["Modality"]) == ("scored", "CR")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"x" * (4 * 2**20 + 1), "application/dicom", 413),
        (form(*[b"x" * 2**20] * 7)[0], form()[1], 413),
        (form(*[b"x"] * 5)[0], form()[1], 413),
        (form(b"x" * (5 * 2**20))[0], form()[1], 413),
        (b"", "application/dicom", 400),
        (form()[0], form()[1], 400),
        (b"nothing of the kind", form()[1], 400),
        (form(b"x")[0], "multipart/form-data", 400),
        (b"{}", "application/json", 415),
        (b"a=b", "", 415),
    ],
)
def test_requests_that_are_none(served: Served, body: bytes, content_type: str, status: int) -> None:
    reply = served.ask("/v1/score", body, Content_Type=content_type)
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["detail"]
    assert answers_of(served.score(FILES[0]))[0]["outcome"] == "scored"


def test_a_query_that_means_nothing(served: Served) -> None:
    reply = served.score(FILES[0], query="?heatmaps=perhaps")
    assert reply.status == 422
    assert "heatmaps" in reply.json()["detail"]


def test_more_requests_than_may_wait_are_told_when_to_come_back(served: Served) -> None:
    with ThreadPoolExecutor(40) as clients:
        replies = list(clients.map(lambda i: served.score(FILES[i % 3]), range(40)))
    assert {reply.status for reply in replies} == {200, 503}
    refused = [reply for reply in replies if reply.status == 503]
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    assert all(reply.headers["content-type"] == "application/problem+json" for reply in refused)
    assert {answers_of(reply)[0]["outcome"] for reply in replies if reply.status == 200} == {"scored"}


@pytest.mark.parametrize(("form", "modality"), [("sr", "SR"), ("seg", "SEG"), ("sc", "OT")])
def test_an_answer_as_a_dicom_object(served: Served, form: str, modality: str) -> None:
    reply = served.score(FILES[2], query=f"?format={form}")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/dicom")
    made = pydicom.dcmread(io.BytesIO(reply.body))
    source = pydicom.dcmread(io.BytesIO(FILES[2]))
    assert made.Modality == modality
    assert (made.PatientID, made.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)


def test_an_accept_header_asks_for_a_form(served: Served) -> None:
    body, content_type = form(FILES[2])
    reply = served.ask("/v1/score", body, Content_Type=content_type, Accept="text/html, application/fhir+json;q=0.9")
    assert reply.headers["content-type"] == "application/fhir+json"
    assert reply.json()["resourceType"] == "Bundle"
    assert "answers" in served.ask("/v1/score", body, Content_Type=content_type, Accept="*/*").json()


@pytest.mark.parametrize(
    ("files", "query", "status", "words"),
    [
        ([FILES[0], FILES[1]], "?format=sr", 400, "one file at a time"),
        ([PNG.getvalue()], "?format=sr", 406, "DICOM"),
        ([FILES[0]], "?format=pdf", 422, "format"),
    ],
)
def test_forms_that_cannot_be(served: Served, files: list[bytes], query: str, status: int, words: str) -> None:
    reply = served.score(*files, query=query)
    assert (reply.status, words in reply.json()["detail"]) == (status, True), reply.body
