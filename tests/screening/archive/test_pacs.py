"""A real PACS (Orthanc) as an archive: every instance is one row, and comes back as it was stored."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import fsspec
import pytest

from schemas.reasons import Reason
from screening import storage
from screening.archive import pacs
from screening.archive.index import check_apart, check_listable, check_uids_hidden, scan
from screening.archive.reader import READ_ATTEMPTS, ObjectReader
from screening.archive.source import IndexedObject
from screening.dicom.uids import uid_of
from screening.dicom.writer import Coding, write_dicom
from screening.errors import ArchiveError, ImageRefused, UsageError
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from tests.archives import phantom_dicom
from tests.dicom_files import picture, study
from tests.orthanc import Orthanc
from tests.web_server import serving

FILES = {uid_of("test", seed, "normal", "instance"): phantom_dicom(seed) for seed in range(7)}


@pytest.fixture
def filled(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """Seven radiographs, of which a search tells three at a time."""
    monkeypatch.setattr(pacs, "PAGE_INSTANCES", 3)
    for file in FILES.values():
        orthanc.add(file)
    return orthanc


def rows_of(url: str) -> list[dict]:
    return [row for table in scan(url) for row in table.to_pylist()]


def uid_in(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def read(row: dict, max_bytes: int = 2**30) -> bytes:
    with ObjectReader(max_bytes) as reader:
        return reader.read(row["object_url"], IndexedObject(row["object_bytes"], row["object_etag"]))


def refusal_of(row: dict, max_bytes: int = 2**30) -> Reason:
    with pytest.raises(ImageRefused) as caught:
        read(row, max_bytes)
    return caught.value.reason


def test_every_instance_is_one_row_and_comes_back_as_it_was_stored(filled: Orthanc) -> None:
    rows = rows_of(filled.dicomweb_url)
    assert sorted(uid_in(row["object_url"]) for row in rows) == sorted(FILES)
    assert rows == rows_of(filled.dicomweb_url + "/")
    assert len({row["object_id"] for row in rows}) == len(FILES)
    for row in rows:
        assert row["object_url"].startswith(f"{filled.dicomweb_url}/studies/")
        assert row["object_bytes"] == 256 * 256 * 2
        assert row["object_modified"].isoformat() == "2020-03-01T00:00:00+00:00"
        assert read(row) == FILES[uid_in(row["object_url"])]
    told = [ingest(data, IngestConfig(), None).columns["pixel_hash"] for data in (read(rows[0]), FILES[uid_in(rows[0]["object_url"])])]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "syntax", ["implicit_little_endian", "deflated", "rle", "jpeg_lossless_sv1", "jpeg_2000_lossless", "htj2k_lossless"]
)
def test_a_compressed_instance_is_not_decompressed_on_its_way(orthanc: Orthanc, syntax: str) -> None:
    file = write_dicom(picture(12), study(), Coding(12), syntax)
    orthanc.add(file)
    [row] = rows_of(orthanc.dicomweb_url)
    assert read(row) == file


def test_a_study_a_series_an_instance_and_a_search_are_archives_too(filled: Orthanc) -> None:
    row = rows_of(filled.dicomweb_url)[0]
    url = row["object_url"]
    for below in (url, url.partition("/instances/")[0], url.partition("/series/")[0]):
        assert rows_of(below) == [row]
    assert len(rows_of(f"{filled.dicomweb_url}?Modality=DX&Modality=CR&StudyDate=20200301-20200302")) == len(FILES)
    with pytest.raises(ArchiveError, match="is empty"):
        check_listable(f"{filled.dicomweb_url}?Modality=DX")
    with pytest.raises(UsageError, match="pages are cut here"):
        check_listable(f"{filled.dicomweb_url}?limit=5")


def test_a_url_of_a_row_opens_in_fsspec(filled: Orthanc) -> None:
    row = rows_of(filled.dicomweb_url)[0]
    with fsspec.open(row["object_url"], "rb") as file:
        assert file.read() == FILES[uid_in(row["object_url"])]
    fs, path = storage.filesystem_of(row["object_url"])
    assert storage.url_of(fs, path) == row["object_url"]
    assert fs.info(path)["etag"] == row["object_etag"]
    assert fs.cat_file(path, 128, 132) == b"DICM"
    assert not fs.exists(path + "9")
    assert not fs.exists(filled.dicomweb_url)
    with pytest.raises(UsageError, match="STOW-RS"):
        fs.open(path, "wb")


def test_an_instance_that_is_deleted_while_others_are_listed_hides_none(filled: Orthanc) -> None:
    listed = iter([row["object_url"] for row in rows_of(filled.dicomweb_url)])
    fs, path = storage.filesystem_of(filled.dicomweb_url)
    found = fs.instances(path)
    seen = [uid_in(next(found).path) for _ in range(3)]
    assert seen == [uid_in(next(listed)) for _ in range(3)]
    for uid in seen:  # all that follow move up by a whole page
        filled.delete(uid)
    assert [uid_in(instance.path) for instance in found] == [uid_in(url) for url in listed]


def test_a_pacs_that_lists_in_no_order_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacs, "PAGE_INSTANCES", 1)
    pages = [[{"0020000D": {"Value": ["1"]}, "0020000E": {"Value": ["2"]}, "00080018": {"Value": [str(i)]}}] for i in range(100)]
    with serving(*((200, {}, json.dumps(page).encode()) for page in pages)) as server, pytest.raises(ArchiveError, match="another order"):
        rows_of(server.url)


def test_what_is_deleted_after_it_was_indexed_is_missing(filled: Orthanc) -> None:
    row = rows_of(filled.dicomweb_url)[0]
    assert refusal_of(row, max_bytes=1000) == Reason.TOO_LARGE
    filled.delete(uid_in(row["object_url"]))
    assert refusal_of(row) == Reason.OBJECT_MISSING


def test_a_wrong_password_says_what_to_set(filled: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    row = rows_of(filled.dicomweb_url)[0]
    monkeypatch.setenv("SCREENING_DICOMWEB_PASSWORD", "wrong")
    with pytest.raises(ArchiveError, match=f"{filled.dicomweb_url} does not let this user in: set SCREENING_DICOMWEB_USER"):
        check_listable(filled.dicomweb_url)
    assert refusal_of(row) == Reason.READ_FAILED


def test_a_path_without_dicomweb_says_so(filled: Orthanc) -> None:
    for path in ("", "/nowhere"):
        with pytest.raises(ArchiveError, match="has no DICOMweb service under this path"):
            check_listable(filled.dicomweb_url.replace("/dicom-web", path))


def test_a_pacs_that_died_is_an_error_of_the_archive_or_of_each_row(filled: Orthanc) -> None:
    row = rows_of(filled.dicomweb_url)[0]
    filled.kill()
    try:
        with pytest.raises(ArchiveError, match="cannot be reached"):
            check_listable(filled.dicomweb_url)
        with pytest.raises(ImageRefused, match=f"after {READ_ATTEMPTS} attempts") as caught:
            read(row)
        assert caught.value.reason == Reason.READ_FAILED
    finally:
        filled.start()
    assert read(row) == FILES[uid_in(row["object_url"])]


def test_a_server_error_is_tried_again_and_then_the_rows(orthanc: Orthanc) -> None:
    url = "/studies/1/series/2/instances/3"
    row = {"object_bytes": 1, "object_etag": "a"}
    with serving((500, {}, b"")) as server:
        assert refusal_of(row | {"object_url": server.url + url}) == Reason.READ_FAILED
        assert len(server.requests) == READ_ATTEMPTS
    whole = b"--b\r\n\r\nfile\r\n--b--"
    broken, good = ((200, {"Content-Type": "multipart/related; boundary=b"}, data) for data in (whole[:-9], whole))
    with serving((503, {}, b""), broken, good) as server:
        assert read(row | {"object_url": server.url + url}) == b"file"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html></html>",
        b'{"error": 1}',
        b"[1]",
        b'[{"00080018": {"vr": "UI"}}]',
        b'[{"0020000D": {"Value": [".."]}, "0020000E": {"Value": ["1"]}, "00080018": {"Value": ["1"]}}]',
    ],
)
def test_an_answer_that_is_no_list_of_instances_ends_the_listing(answer: bytes) -> None:
    with serving((200, {}, answer)) as server, pytest.raises(ArchiveError, match="no DICOMweb"):
        check_listable(server.url)


def test_what_a_search_does_not_tell_is_estimated() -> None:
    uids = {"0020000D": {"Value": ["1"]}, "0020000E": {"Value": ["2/3"]}, "00080018": {"Value": ["4"]}}
    frames = {"00280008": {"Value": ["3"]}, "00280010": {"Value": [100]}, "00280011": {"Value": [10]}, "00280100": {"Value": [12]}}
    dates = {"00080020": {"Value": ["20200301"]}, "00080030": {"Value": ["1011"]}}
    huge = {"00280010": {"Value": [2**40]}, "00280011": {"Value": [2**40]}}
    for told, size, modified in (({}, pacs.UNKNOWN_BYTES, None), (frames | dates, 6000, 10), (huge, pacs.LARGEST_BYTES, None)):
        page = json.dumps([uids | told]).encode()
        with serving((200, {}, page)) as server:
            [row] = rows_of(server.url)
        assert row["object_url"].endswith("/studies/1/series/2%2F3/instances/4")
        assert row["object_bytes"] == size
        assert (row["object_modified"] and row["object_modified"].hour) == modified
    with serving((204, {}, b"")) as server, pytest.raises(ArchiveError, match="is empty"):
        rows_of(server.url)


def test_the_gateway_of_the_documentation_takes_dimse_and_offers_dicomweb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orthanc with the configuration of docs/pacs.md: the hospital that it names may store, another may not."""
    sender = shutil.which("storescu")
    if sender is None:
        pytest.skip("no `storescu`: apt-get install dcmtk")
    page = (Path(__file__).parents[3] / "docs/pacs.md").read_text()
    gateway = Orthanc(tmp_path / "orthanc", json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1]))
    for name, value in gateway.environment().items():
        monkeypatch.setenv(name, value)
    uid, file = next(iter(FILES.items()))
    (tmp_path / "a.dcm").write_bytes(file)
    try:
        gateway.start()
        for caller, refused in (("SOUTHGATE", True), ("NORTHGATE", False)):
            command = [sender, "-aet", caller, "-aec", "SCREENING", "127.0.0.1", str(gateway.dicom_port), str(tmp_path / "a.dcm")]
            assert (subprocess.run(command, capture_output=True, timeout=30, check=False).returncode != 0) is refused
        [row] = rows_of(gateway.dicomweb_url)
        assert uid_in(row["object_url"]) == uid
        sent, came_back = (ingest(data, IngestConfig(), None).columns["pixel_hash"] for data in (file, read(row)))
        assert sent == came_back
    finally:
        gateway.kill()


def test_uids_are_not_hidden_in_one_column_and_shown_in_another(tmp_path: Path) -> None:
    for url in ("dicomweb://pacs/dicom-web", "DICOMWEBS://pacs/dicom-web"):
        with pytest.raises(UsageError, match="needs --encrypt-urls"):
            check_uids_hidden(url, pseudonymize_uids=True, encrypt_urls=False)
        check_uids_hidden(url, pseudonymize_uids=True, encrypt_urls=True)
        check_uids_hidden(url, pseudonymize_uids=False, encrypt_urls=False)
    check_uids_hidden("s3://bucket", pseudonymize_uids=True, encrypt_urls=False)
    with pytest.raises(UsageError, match="holds no results"):
        check_apart(str(tmp_path), "dicomweb://pacs/dicom-web")
