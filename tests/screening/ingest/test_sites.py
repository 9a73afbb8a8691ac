"""sites: the file that lists texts, how it travels, and what is wrong with others."""

import dataclasses
import json
import pickle
import unicodedata
from datetime import date
from pathlib import Path

import pytest

from screening.errors import UsageError
from screening.ingest.config import IngestConfig
from screening.ingest.sites import ListedTexts, load_sites, pseudonym_of, read_sites
from screening.privacy import Pseudonymizer
from screening.shard.config import RowConfig

KEY = Pseudonymizer(b"a key of sixteen bytes or more")
FILE = """\ufeffattribute,value,shown_as
InstitutionName,Hôpital Nord,
InstitutionName,"Practice, Dr. Doe",Practice 17

Manufacturer,Aldwych Imaging,Aldwych
BodyPartExamined,PULM,CHEST
"""


def _read(text: str) -> ListedTexts:
    return read_sites(text.encode(), "sites.csv", KEY)


def _shown(listed: ListedTexts, attribute: str, value: str) -> str | None:
    return listed.text_of(pseudonym_of(value, attribute, KEY))


def test_listed_texts_and_their_stand_ins() -> None:
    listed = _read(FILE)
    assert _shown(listed, "InstitutionName", "Hôpital Nord") == "Hôpital Nord"
    assert _shown(listed, "InstitutionName", unicodedata.normalize("NFD", "Hôpital Nord ")) == "Hôpital Nord"
    assert _shown(listed, "InstitutionName", "Practice, Dr. Doe") == "Practice 17"
    assert _shown(listed, "Manufacturer", "Aldwych Imaging") == "Aldwych"
    assert _shown(listed, "BodyPartExamined", "PULM") == "CHEST"
    assert _shown(listed, "InstitutionName", "Aldwych Imaging") is None
    assert _read("attribute,value\nManufacturer,Maker\n").entries != ()


def test_a_value_that_another_text_stands_for_is_not_in_the_manifest() -> None:
    listed = _read(FILE)
    stored = json.dumps(dataclasses.asdict(listed))
    assert "Doe" not in stored
    assert "Practice 17" in stored
    assert ListedTexts.from_json(json.loads(stored)) == listed == pickle.loads(pickle.dumps(listed))
    assert hash(listed) == hash(_read(FILE))


@pytest.mark.parametrize(("text", "fault"), [
    ("", "first line"), ("site\nDoe\n", "first line"), ("attribute,value\nPatientName,Doe\n", "none of"),
    ("attribute,value\nInstitutionName,\n", "empty"), ("attribute,value\nInstitutionName,Doe, Jo\n", "3 cells"),
    (f"attribute,value\nInstitutionName,{'Doe' * 30}\n", "more than 64"), ("attribute,value\nInstitutionName,Do\0e\n", "cannot be printed"),
    ("attribute,value,shown_as\nManufacturer,Doe,A\nManufacturer,Doe,B\n", "another text"), ('attribute,value\n"Doe', "no"),
])  # fmt: skip
def test_faults_are_named_and_values_are_not(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as error:
        _read(text)
    assert "sites.csv" in str(error.value)
    assert fault in str(error.value)
    assert "Do" not in str(error.value)


def test_a_file_is_read_from_its_url_and_only_with_a_key(tmp_path: Path) -> None:
    url = str(tmp_path / "sites.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        load_sites(url, KEY)
    (tmp_path / "sites.csv").write_text(FILE)
    assert load_sites(url, KEY) == _read(FILE)
    with pytest.raises(UsageError, match="goes with the pseudonym key"):
        load_sites(url, None)


def test_a_file_that_is_no_text() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        read_sites(b"\xff\xfe\x00", "sites.csv", KEY)


def test_the_list_travels_with_the_configuration_and_changes_the_names_of_shards() -> None:
    plain = RowConfig(date(2020, 3, 1))
    listed = dataclasses.replace(plain, ingest=IngestConfig(listed_texts=_read(FILE)))
    assert RowConfig.from_json(json.loads(json.dumps(listed.to_json()))) == listed
    assert len({config.digest("bundle", "key") for config in (plain, listed)}) == 2
    earlier = {name: value for name, value in dataclasses.asdict(IngestConfig()).items() if name != "listed_texts"}
    assert IngestConfig.from_json(earlier) == IngestConfig()
