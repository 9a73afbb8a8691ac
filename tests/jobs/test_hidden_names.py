"""What a run says of names: how many became pseudonyms, once, and never which."""

from datetime import date
from pathlib import Path

import pytest

from jobs.hidden_names import is_first_run, say_what_became_pseudonyms, unlisted_texts, with_sites
from screening.errors import UsageError
from screening.run.config import RunConfig
from screening.shard.config import RowConfig
from tests.screening.instance_rows import instance_row, write_instances

KEY = b"a pseudonym key for tests"


def test_unlisted_texts_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["site-00000001", "site-00000001", "site-0000000a", "Northgate", "site-mine", None]
    rows = [instance_row(number, InstitutionName=name, Manufacturer="maker-12345678") for number, name in enumerate(names)]
    write_instances(str(tmp_path), rows)
    digest = rows[0]["bundle_digest"]
    assert unlisted_texts(str(tmp_path), digest) == {"InstitutionName": 2, "Manufacturer": 1, "ManufacturerModelName": 0}
    say_what_became_pseudonyms(str(tmp_path), digest)
    said = capsys.readouterr().err
    assert "2 institutions, 1 manufacturers:" in said
    assert "--sites" in said
    assert "Northgate" not in said
    say_what_became_pseudonyms(str(tmp_path / "none"), digest)
    assert capsys.readouterr().err == ""


def test_the_first_run_is_the_one_without_earlier_manifests(tmp_path: Path) -> None:
    assert is_first_run(str(tmp_path))
    (tmp_path / "runs" / "r").mkdir(parents=True)
    (tmp_path / "runs" / "r" / "manifest.json").touch()
    assert not is_first_run(str(tmp_path))


def test_a_sites_file_becomes_part_of_the_configuration(tmp_path: Path) -> None:
    config = RunConfig(RowConfig(date(2020, 3, 1)))
    (tmp_path / "sites.csv").write_text("attribute,value\nInstitutionName,Northgate\n")
    assert with_sites(config, None, KEY) is config
    assert [text for _, text in with_sites(config, str(tmp_path / "sites.csv"), KEY).rows.ingest.listed_texts.entries] == ["Northgate"]
    with pytest.raises(UsageError, match=r"absent\.csv cannot be read"):
        with_sites(config, str(tmp_path / "absent.csv"), KEY)
