"""Files sent to a real PACS (Orthanc), and what it says of each."""

import json

import pytest

from screening.archive import stow
from screening.archive.index import scan
from screening.archive.reader import ObjectReader
from screening.archive.stow import StoreOutcome, store
from screening.dicom.uids import uid_of
from screening.errors import ArchiveError
from tests.archives import phantom_dicom
from tests.orthanc import Orthanc
from tests.web_server import serving

FILES = {uid_of("test", seed, "normal", "instance"): phantom_dicom(seed) for seed in range(5)}
UIDS = list(FILES)


def test_files_are_stored_and_read_back(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow, "BATCH_FILES", 2)
    assert store(orthanc.dicomweb_url, iter(FILES.values())) == [StoreOutcome(uid) for uid in UIDS]
    assert all(outcome.stored for outcome in store(orthanc.dicomweb_url, FILES.values()))  # again
    urls = [url for table in scan(orthanc.dicomweb_url) for url in table["object_url"].to_pylist()]
    assert len(urls) == len(FILES)
    with ObjectReader(2**30) as reader:
        assert {url.rsplit("/", 1)[-1]: reader.read(url) for url in urls} == FILES
    assert store(orthanc.dicomweb_url, []) == []


def test_what_is_not_stored_has_a_reason(orthanc: Orthanc) -> None:
    whole, cut = FILES[UIDS[0]], FILES[UIDS[1]][:-5000]
    good, bad, none = store(orthanc.dicomweb_url, [whole, cut, b"not DICOM"])
    assert good.stored
    assert bad == StoreOutcome(UIDS[1], "the PACS does not say why it did not store this instance")
    assert none.reason == "no DICOM file: it was not sent"
    for outcome in store(f"{orthanc.dicomweb_url}/studies/1.2.3", [FILES[UIDS[2]], FILES[UIDS[3]]]):
        assert outcome.reason.startswith("processing failure")


def test_a_batch_is_bounded_by_its_bytes(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow, "BATCH_BYTES", len(FILES[UIDS[0]]) + 1)
    answer = json.dumps({"00081199": {"Value": [{"00081155": {"Value": [uid]}} for uid in UIDS]}}).encode()
    with serving((200, {}, answer)) as server:
        assert all(outcome.stored for outcome in store(server.url, FILES.values()))
    assert len(server.requests) == len(FILES)
    assert all(body.count(b"DICM") == 1 for _, _, body in server.requests)


@pytest.mark.parametrize(("code", "meaning"), [(0xA7FF, "no room"), (0xC123, "does not understand"), (0x0124, "may not"), (7, "0007")])
def test_failure_reasons_are_words(code: int, meaning: str) -> None:
    failed = {"00081198": {"Value": [{"00081155": {"Value": [UIDS[0]]}, "00081197": {"Value": [code]}}]}}
    with serving((202, {}, json.dumps(failed).encode())) as server:
        [outcome] = store(server.url, [FILES[UIDS[0]]])
    assert meaning in outcome.reason


def test_a_pacs_that_takes_nothing_is_an_error(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArchiveError, match="has no DICOMweb"):
        store(orthanc.dicomweb_url + "-not", FILES.values())
    monkeypatch.setenv("SCREENING_DICOMWEB_PASSWORD", "wrong")
    with pytest.raises(ArchiveError, match="does not let this user in"):
        store(orthanc.dicomweb_url, FILES.values())
    with serving((200, {}, b"<html></html>")) as server, pytest.raises(ArchiveError, match="no DICOMweb"):
        store(server.url, FILES.values())


def test_a_pacs_that_fails_in_the_middle_leaves_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stow, "BATCH_FILES", 2)
    answer = (200, {}, json.dumps({"00081199": {"Value": [{"00081155": {"Value": [uid]}} for uid in UIDS]}}).encode())
    down = [(503, {}, b"")] * 3
    with serving(answer, *down, answer) as server:
        outcomes = store(server.url, FILES.values())
    assert [outcome.stored for outcome in outcomes] == [True, True, False, False, True]
    assert "HTTP status 503" in outcomes[2].reason
