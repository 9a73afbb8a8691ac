"""What the server says of itself, and the change to another bundle while it answers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schemas.bundle import OperatingPoint
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.bundle.pointer import BundlePointer, point_to
from serve.app import make_app
from serve.problems import MEDIA_TYPE
from tests.archives import phantom_dicom, phantom_pixels
from tests.served import Served, await_that


def test_health_is_open(served: Served) -> None:
    assert served.ask("/healthz", token=None).json() == {"status": "ok"}
    assert served.ask("/readyz", token=None).json() == {"status": "ready"}


def test_the_bundle_in_use(served: Served) -> None:
    bundle = served.ask("/v1/bundle", token="read").json()
    manifest = load_manifest(served.bundle_url)
    assert (bundle["name"], bundle["digest"]) == (manifest.name, manifest.digest())
    assert bundle["pneumonia_threshold"] == manifest.operating_points["pneumonia"].threshold
    assert bundle["device"] == "cpu"


def test_metrics_count_answers(served: Served) -> None:
    def count() -> float:
        lines = served.ask("/metrics", token="admin").body.decode().splitlines()
        name = 'screening_answers_total{outcome="rejected",reason="not_dicom"}'
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name)), 0.0)

    before = count()
    served.score(b"nothing", b"nothing")
    assert count() == before + 2


def test_answers_have_headers_that_keep_browsers_safe(served: Served) -> None:
    for path in ("/v1/bundle", "/no-such-thing", "/healthz"):
        headers = served.ask(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    assert served.ask("/no-such-thing").json()["status"] == 404
    assert served.ask("/v1/score", method="DELETE").status == 405


@pytest.mark.parametrize(("body", "status"), [(b'{"bundle_url": "/no/such"}', 400), (b'{"bundle_url": ""}', 422), (b"{", 422)])
def test_a_bundle_that_is_none_changes_nothing(served: Served, body: bytes, status: int) -> None:
    reply = served.ask("/v1/bundle", body, method="PUT", Content_Type="application/json")
    assert reply.status == status
    assert served.ask("/v1/bundle").json()["digest"] == load_manifest(served.bundle_url).digest()


def change_to(served: Served, bundle_url: str) -> None:
    body = f'{{"bundle_url": "{bundle_url}"}}'.encode()
    assert served.ask("/v1/bundle", body, method="PUT", Content_Type="application/json").status == 202
    served.await_bundle(load_manifest(bundle_url).digest())


def test_a_new_bundle_answers_and_no_request_is_lost(served: Served, tmp_path: Path) -> None:
    other = save_random_bundle(str(tmp_path), phantom_pixels(4))
    file = phantom_dicom(5, "covid", 512)
    with ThreadPoolExecutor(5) as clients:
        changing = clients.submit(change_to, served, str(tmp_path))
        replies = []
        while not changing.done():
            replies += clients.map(lambda _: served.score(file), range(4))
        changing.result()
    assert {reply.status for reply in replies} == {200}
    digests = [reply.json()["answers"][0]["bundle_digest"] for reply in replies]
    assert set(digests) <= {other.digest(), load_manifest(served.bundle_url).digest()}
    assert served.score(file).json()["answers"][0]["bundle_digest"] == other.digest()
    change_to(served, served.bundle_url)
    assert served.score(file).json()["answers"][0]["bundle_digest"] == load_manifest(served.bundle_url).digest()


def test_other_operating_points_alone_change_over_and_a_bundle_by_put_has_its_own(served: Served) -> None:
    point = OperatingPoint(threshold=0.0, rule="everybody", data="none")
    pointer = BundlePointer(bundle_url=served.bundle_url, operating_points={"pneumonia": point})
    file = phantom_dicom(1, "normal", 512)
    point_to(served.settings.bundle, pointer)
    try:
        served.await_bundle(pointer.manifest().digest())
        assert served.ask("/v1/bundle").json()["pneumonia_threshold"] == 0.0
        assert served.score(file).json()["answers"][0]["pneumonia_positive"]
        assert pointer.manifest().digest() in served.score(file, query="?format=fhir").body.decode()
    finally:
        change_to(served, served.bundle_url)
    assert not served.score(file).json()["answers"][0]["pneumonia_positive"]


def test_another_bundle_than_the_file_names_changes_nothing_and_lends_no_answer_its_manifest(served: Served) -> None:
    point = OperatingPoint(threshold=0.0, rule="all", data="a test")
    pointer = BundlePointer(bundle_url=served.bundle_url, operating_points={"covid": point})
    digest, file = pointer.manifest().digest(), phantom_dicom(1, "normal", 512)
    point_to(served.settings.bundle, pointer.model_copy(update={"bundle_digest": digest}))
    try:
        served.await_bundle(digest)
        point_to(served.settings.bundle, BundlePointer(bundle_url=served.bundle_url, bundle_digest="0" * 64))
        assert digest in served.score(file, query="?format=fhir").body.decode()
        logs = Path(served.settings.log)
        await_that(lambda: "not 000000000000, with these" in "".join(log.read_text() for log in logs.glob("cascade-*.jsonl")))
        assert served.ask("/v1/bundle").json()["digest"] == digest
    finally:
        change_to(served, served.bundle_url)


def test_what_is_refused_is_described_as_it_comes() -> None:
    refusals = {
        (path, code): set(answer["content"])
        for path, methods in make_app().openapi()["paths"].items()
        for method in methods.values()
        for code, answer in method["responses"].items()
        if code.startswith(("4", "5"))
    }
    assert len(refusals) > 30
    assert {place: types for place, types in refusals.items() if types != {MEDIA_TYPE}} == {}


def test_a_body_that_is_no_json_is_a_problem(served: Served) -> None:
    reply = served.ask("/v1/readings", b"\xff\xfe{", Content_Type="application/json")
    assert (reply.status, reply.headers["content-type"]) == (400, MEDIA_TYPE)
