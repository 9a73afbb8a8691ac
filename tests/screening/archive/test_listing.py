"""Which objects of an archive are listed: links, locked folders, odd times and names, pages of S3."""

import os
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening import storage
from screening.archive.index import scan
from screening.errors import ArchiveError
from tests.s3 import S3Server
from tests.screening.archive.made import answers_of, contents_of, index_of, refusal_of, urls_of, zip_of


def test_what_is_listed_and_what_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/again").symlink_to(tmp_path)  # a loop of folders
    (tmp_path / "linked.dcm").symlink_to(tmp_path / "nothing.dcm")
    (tmp_path / ".hidden.dcm").write_bytes(b"x")
    (tmp_path / ".tmp-1234").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    assert answers_of(str(tmp_path)) == {".hidden.dcm": b"x", "linked.dcm": Reason.OBJECT_MISSING}


def test_links_that_lead_nowhere_are_one_row_each(tmp_path: Path) -> None:
    (tmp_path / "good.dcm").write_bytes(b"x")
    (tmp_path / "loop.dcm").symlink_to("loop.dcm")
    (tmp_path / "loop.zip").symlink_to("loop.zip")
    (tmp_path / "round.dcm").symlink_to("trip.dcm")
    (tmp_path / "trip.dcm").symlink_to("round.dcm")
    (tmp_path / "through.dcm").symlink_to("good.dcm/below.dcm")
    (tmp_path / "long.dcm").symlink_to("x" * 300)
    answers = answers_of(str(tmp_path))
    assert answers.pop("good.dcm") == b"x"
    assert answers == dict.fromkeys(["loop.dcm", "loop.zip", "round.dcm", "trip.dcm", "through.dcm", "long.dcm"], Reason.OBJECT_MISSING)


def test_links_inside_an_archive_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.dcm").write_bytes(b"x")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "archive/b.dcm").symlink_to(tmp_path / "elsewhere/a.dcm")
    assert urls_of(str(tmp_path / "archive")) == [f"file://{tmp_path}/archive/b.dcm", f"file://{tmp_path}/archive/linked/a.dcm"]


def test_an_archive_is_the_same_by_whichever_link_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "real/night").mkdir(parents=True)
    (tmp_path / "real/night/a.dcm").write_bytes(b"x")
    (tmp_path / "real/night/b.zip").write_bytes(zip_of({"m.dcm": b"y"}))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "tonight").symlink_to(tmp_path / "link/night")
    expected = index_of(str(tmp_path / "real/night"))
    for name in ("link/night", "tonight", "link/../tonight/"):
        assert index_of(str(tmp_path / name)).equals(expected)
    (tmp_path / "one.zip").symlink_to(tmp_path / "real/night/b.zip")
    assert index_of(str(tmp_path / "one.zip")).equals(expected.slice(1))


def test_a_folder_that_may_not_be_listed_is_one_row(public_folder: Path, nobody: None) -> None:
    (public_folder / "Doe^Jane").mkdir()
    (public_folder / "Doe^Jane/inside.dcm").write_bytes(b"x")
    (public_folder / "into.dcm").symlink_to(public_folder / "Doe^Jane/inside.dcm")
    (public_folder / "z.dcm").write_bytes(b"x")
    (public_folder / "Doe^Jane").chmod(0)
    locked = f"file://{public_folder}/Doe^Jane"
    assert answers_of(str(public_folder)) == {"Doe^Jane": Reason.READ_FAILED, "into.dcm": Reason.READ_FAILED, "z.dcm": b"x"}
    refusal = refusal_of(locked)
    assert refusal.detail.startswith("a folder whose files could not be listed: give this account the right to read it")
    (public_folder / "Doe^Jane").chmod(0o700)
    assert refusal_of(locked).reason == Reason.READ_FAILED


def test_a_folder_whose_files_may_not_be_seen_gives_a_row_for_each(public_folder: Path, nobody: None) -> None:
    (public_folder / "a").mkdir()
    (public_folder / "a/1.dcm").write_bytes(b"x")
    (public_folder / "b.dcm").write_bytes(b"x")
    (public_folder / "a").chmod(0o400)  # names may be listed, nothing may be opened
    assert answers_of(str(public_folder)) == {"1.dcm": Reason.READ_FAILED, "b.dcm": b"x"}
    index = index_of(str(public_folder))
    (public_folder / "a").chmod(0o700)
    assert index["object_etag"][0].as_py() == "unreadable"
    assert index["object_modified"][0].as_py() is None


def test_an_archive_that_may_not_be_listed(public_folder: Path, nobody: None) -> None:
    (public_folder / "closed").mkdir(mode=0)
    with pytest.raises(ArchiveError, match="no permission to list"):
        index_of(str(public_folder / "closed"))


def test_a_file_that_may_not_be_read_is_one_row(public_folder: Path, nobody: None) -> None:
    for name in ("a.dcm", "b.zip"):
        (public_folder / name).write_bytes(zip_of({"m.dcm": b"x"}))
        (public_folder / name).chmod(0)
    assert answers_of(str(public_folder)) == {"a.dcm": Reason.READ_FAILED, "b.zip": Reason.READ_FAILED}


def test_a_container_that_could_not_be_listed_but_can_be_read_now(public_folder: Path, nobody: None) -> None:
    (public_folder / "b.zip").write_bytes(zip_of({"m.dcm": b"x"}))
    (public_folder / "b.zip").chmod(0)
    (url,) = urls_of(str(public_folder))
    (public_folder / "b.zip").chmod(0o600)
    assert "index the archive again" in refusal_of(url).detail
    assert refusal_of(url).reason == Reason.READ_FAILED


def test_folders_deeper_than_the_interpreter_recurses(tmp_path: Path) -> None:
    folders = [f"{tmp_path}/{'d/' * depth}" for depth in range(1, 1500)]
    for folder in folders:
        os.mkdir(folder)
    Path(folders[-1], "a.dcm").write_bytes(b"x")
    assert list(answers_of(str(tmp_path))) == ["a.dcm"]
    Path(folders[-1], "a.dcm").unlink()
    for folder in reversed(folders):  # pytest, which removes the rest, recurses
        os.rmdir(folder)


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"latin-\xfc.dcm")).write_bytes(b"x")
    except OSError:
        pytest.skip("this filesystem takes only UTF-8 names")
    (contents,) = contents_of(str(tmp_path)).items()
    assert contents == (f"file://{tmp_path}/latin-%FC.dcm", b"x")


def test_archives_that_cannot_be_listed(url: str) -> None:
    with pytest.raises(ArchiveError, match=r"no such folder|is empty"):
        index_of(url)


def test_an_empty_archive_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is empty: check the path"):
        index_of(str(tmp_path))


def test_s3_errors_name_the_remedy(s3_environment: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such folder, file or bucket: s3://no-such-bucket-here"):
        index_of("s3://no-such-bucket-here/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ArchiveError, match=r"s3:ListBucket and s3:GetObject"):
        index_of(s3_bucket)
    assert refusal_of(f"{s3_bucket}/a.dcm").reason == Reason.READ_FAILED
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(ArchiveError, match=r"no credentials for s3://.*AWS_PROFILE"):
        index_of(s3_bucket)
    monkeypatch.setattr(storage, "ATTEMPTS", 1)
    for name, value in s3_environment.environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArchiveError, match=r"cannot be listed.*127\.0\.0\.1:9") as caught:
        index_of(s3_bucket)
    assert "list-type" not in str(caught.value)


def test_s3_listings_longer_than_a_page(s3_bucket: str) -> None:
    fs, path = storage.filesystem_of(s3_bucket)
    fs.pipe({f"{path}/night/{number:04}.dcm": b"x" for number in range(1100)})
    fs.call_s3("put_object", Bucket=path, Key="night/folder/", Body=b"")
    index = index_of(f"{s3_bucket}/night")
    assert index.num_rows == 1100
    assert index["object_url"].to_pylist() == sorted(index["object_url"].to_pylist())
    assert index_of(f"{s3_bucket}/night", limit=1050).num_rows == 1050


def test_an_s3_key_that_looks_like_a_version(s3_bucket: str) -> None:
    fs, bucket = storage.filesystem_of(s3_bucket)
    keys = ["a.dcm", "a.dcm?versionId=3"]
    for key in keys:
        fs.call_s3("put_object", Bucket=bucket, Key=key, Body=key.encode())
    assert contents_of(s3_bucket) == {f"{s3_bucket}/{key}": key.encode() for key in keys}


def test_the_index_comes_in_batches_while_the_archive_is_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("screening.archive.index.BATCH_ROWS", 2)
    for number in range(5):
        (tmp_path / f"{number}.dcm").write_bytes(b"x")
    assert [table.num_rows for table in scan(str(tmp_path))] == [2, 2, 1]
