"""The URLs of objects: undone by the reader, and opened by fsspec as they are."""

import bz2
import lzma
from pathlib import Path

import fsspec
import pytest

from screening import storage
from screening.archive.urls import escape, split_member, unescape
from tests.screening.archive.made import ODD_NAMES, PACK, tar_of, urls_of, zip_of


@pytest.mark.parametrize("name", ["a", "%", "%25", "%2525", "%%3A", ":", "::", ":::", "a::b:", "%3A::%C3", "\udcff\udc80%FF", "%ff"])
def test_escape_is_undone_by_unescape(name: str) -> None:
    assert unescape(escape(name)) == name
    assert "::" not in escape(name)
    assert not escape(name).endswith(":")
    escape(name).encode()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_member_s_url_is_divided_into_its_names(name: str) -> None:
    container = f"s3://bucket/{name}.zip"
    assert split_member(f"zip://{escape(name)}::{escape(container)}") == (name, container)
    assert split_member(escape(container)) == (None, container)


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if "%" not in name and ":" not in name])
def test_urls_open_in_fsspec_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / "night.zip").write_bytes(zip_of({name: b"member"}))
    storage.put_atomic(str(tmp_path / name), b"plain")
    contents = []
    for url in urls_of(str(tmp_path)):
        with fsspec.open(url) as file:
            contents.append(file.read())
    assert sorted(contents) == [b"member", b"plain"]


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_members_of_every_container_open_in_fsspec(tmp_path: Path, suffix: str) -> None:
    long_name = f"{'folder/' * 30}a.dcm"
    (tmp_path / f"night.{suffix}").write_bytes(PACK[suffix]({long_name: b"member"}))
    (url,) = urls_of(str(tmp_path))
    with fsspec.open(url) as file:
        assert file.read() == b"member"


def test_several_compressed_streams_in_a_row_are_one_file(tmp_path: Path) -> None:
    whole = tar_of({"a.dcm": b"1" * 3000, "b.dcm": b"2" * 3000})
    for name, pack in {"a.tar.bz2": bz2.compress, "b.tar.xz": lzma.compress}.items():
        (tmp_path / name).write_bytes(pack(whole[:2000]) + pack(whole[2000:]))
    assert [url.split("::")[0] for url in urls_of(str(tmp_path))] == ["tar://a.dcm", "tar://b.dcm"] * 2
