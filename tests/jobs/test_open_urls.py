"""`screening open-url` as a user calls it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import make_app
from screening.errors import UsageError
from screening.privacy import KEY_FILE_VARIABLE, UrlSeal, create_key

runner = CliRunner()


def test_arguments_and_lines_are_opened(tmp_path: Path) -> None:
    seal = UrlSeal(create_key(tmp_path / "key"))
    urls = ["s3://bucket/Doe.dcm", "zip://Ng.dcm::s3://bucket/Wu.zip"]
    options = ["open-url", "--pseudonym-key", str(tmp_path / "key")]
    given = runner.invoke(make_app(), [*options, *map(seal.seal, urls), "file:///plain"])
    assert given.output.splitlines() == [*urls, "file:///plain"]
    piped = runner.invoke(make_app(), options, input="object_url\n" + "".join(f'"{seal.seal(url)}"\n' for url in urls))
    assert piped.output.splitlines() == ["object_url", *urls]


def test_without_the_key_nothing_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    assert "no pseudonym key" in str(runner.invoke(make_app(), ["open-url", "sealed://abc"]).exception)
    create_key(tmp_path / "key")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    refused = runner.invoke(make_app(), ["open-url", "sealed://abc"]).exception
    assert isinstance(refused, UsageError)
    assert not (tmp_path / ".config").exists()
