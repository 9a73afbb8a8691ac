"""Readings as the reference standard: which of them count, what they stand for, and for which radiograph."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.columns import SCHEMA_NAME_KEY
from schemas.reading import READING_SCHEMA
from screening.analytics.readings import load_readings
from screening.analytics.views import connect
from screening.errors import ReferenceTableError
from tests.readings import reading_of, shared_uid, write_readings
from tests.screening.instance_rows import NIGHT, instance_row, person, pneumonia_row, write_instances


def ask(results: Path, query: str) -> list[tuple[Any, ...]]:
    return connect(str(results), str(results / "readings")).sql(query).fetchall()


def test_only_a_folder_with_parquet_files_is_one_of_readings(tmp_path: Path) -> None:
    folder = write_readings(tmp_path, reading_of(instance_row(1), "normal"))
    table = load_readings(folder)
    assert table is not None
    assert table.schema.metadata[SCHEMA_NAME_KEY] == READING_SCHEMA.metadata[SCHEMA_NAME_KEY]
    (tmp_path / "rt_pcr.csv").write_text("")
    assert load_readings(str(tmp_path / "rt_pcr.csv")) is None
    assert load_readings(str(tmp_path / "nowhere")) is None


def test_results_are_no_readings(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [instance_row(1)])
    with pytest.raises(ReferenceTableError, match="holds no readings"):
        connect(str(tmp_path), str(tmp_path / "instances"))


def test_the_latest_reading_of_a_reader_counts(tmp_path: Path) -> None:
    row = pneumonia_row(1, covid=True)
    write_instances(str(tmp_path), [row])
    write_readings(tmp_path, reading_of(row, "normal"), reading_of(row, "covid", "bo"), reading_of(row, "pneumonia"))
    assert ask(tmp_path, "select reader, finding from latest_readings order by reader") == [("ann", "pneumonia"), ("bo", "covid")]


def test_findings_stand_for_results(tmp_path: Path) -> None:
    rows = [instance_row(number) for number in (1, 2, 3, 4)]
    write_instances(str(tmp_path), rows)
    write_readings(tmp_path, *map(reading_of, rows, ("normal", "pneumonia", "covid", "unreadable")))
    found = ask(tmp_path, "select patient_pseudonym, result, reading, specimen_date from reference order by all")
    assert found == [
        (person(1), "negative", "normal", NIGHT),
        (person(2), "negative", "pneumonia", NIGHT),
        (person(3), "positive", "covid", NIGHT),
        (person(4), "indeterminate", None, NIGHT),
    ]


def test_one_row_a_person_day_and_finding(tmp_path: Path) -> None:
    one = instance_row(1)
    other = instance_row(2, patient_pseudonym=person(1))
    write_instances(str(tmp_path), [one, other])
    write_readings(tmp_path, reading_of(one, "normal"), reading_of(other, "normal"), reading_of(one, "normal", "bo"))
    assert ask(tmp_path, "select count(*) from reference_read") == [(1,)]


def test_a_reading_counts_for_its_day_only(tmp_path: Path) -> None:
    """The second radiograph of the person, a day later, would be linked with an RT-PCR test of that day."""
    first, later = pneumonia_row(1, covid=True), instance_row(2, patient_pseudonym=person(1), StudyDate=NIGHT + timedelta(1))
    write_instances(str(tmp_path), [first, later])
    write_readings(tmp_path, reading_of(first, "covid"))
    assert ask(tmp_path, "select object_id, rt_pcr, reading from reference_verdicts") == [(first["object_id"], "positive", "positive")]
    assert ask(tmp_path, "select tp, unverified from accuracy where unit = 'instance' and question = 'covid'") == [(1, 1)]
    ((rule,),) = ask(tmp_path, "select rule from link_rule")
    assert rule.startswith("The reference standard is the readings")
    assert "from 0 days before to 0 days after" in rule


def test_readings_of_two_persons_who_share_a_uid_stay_apart(tmp_path: Path) -> None:
    one, two = shared_uid()
    write_instances(str(tmp_path), [one, two])
    write_readings(tmp_path, reading_of(one, "covid"), reading_of(two, "normal"))
    assert ask(tmp_path, "select object_id, radiograph, finding from latest_readings order by all") == [
        (one["object_id"], one["object_id"], "covid"),
        (two["object_id"], two["object_id"], "normal"),
    ]
    assert ask(tmp_path, "select patient_pseudonym, result from reading_tests") == [(person(1), "positive"), (person(2), "negative")]
    assert ask(tmp_path, "select object_id, rt_pcr from reference_verdicts order by all") == [
        (one["object_id"], "positive"),
        (two["object_id"], "negative"),
    ]
    assert ask(tmp_path, "select reference_persons, with_radiograph, share from match_rate") == [(2, 2, 1.0)]


@pytest.mark.parametrize(
    "copy",
    [
        {"object_id": "f" * 32, "pixel_hash": "e" * 32},  # sent again in another form
        {"object_id": "f" * 32, "SOPInstanceUID": "9.8", "patient_pseudonym": person(7)},  # the same pixels under other names
        {"patient_pseudonym": person(7)},  # the same object after a rotation of the pseudonym key
    ],
)
def test_a_correction_of_a_copy_is_one_of_the_radiograph(tmp_path: Path, copy: dict[str, str]) -> None:
    one, _ = shared_uid()
    write_instances(str(tmp_path), [one])
    write_readings(tmp_path, reading_of(one, "normal"), reading_of(one | copy, "covid"), reading_of(one, "normal", "bo"))
    assert ask(tmp_path, "select reader, radiograph, finding from latest_readings order by all") == [
        ("ann", one["object_id"], "covid"),
        ("bo", one["object_id"], "normal"),
    ]


def test_an_older_reading_without_a_person_counts_for_nobody_and_is_counted(tmp_path: Path) -> None:
    """Neither its pixels nor its person say which of two radiographs it is of, and its object is in no night any more."""
    one, two = shared_uid()
    write_instances(str(tmp_path), [one, two])
    gone = one | {"object_id": "f" * 32, "patient_pseudonym": None, "pixel_hash": None}
    orphans = [reading_of(gone, "covid", reader) for reader in ("ann", "cy")]
    write_readings(tmp_path, reading_of(one, "normal", "bo"), reading_of(two, "normal", "bo"), *orphans)
    assert ask(tmp_path, "select distinct result from reference") == [("negative",)]
    assert ask(tmp_path, "select reason, k, n from reference_reasons") == [("no person", 2, 4)]
    assert ask(tmp_path, "select first, second_finding from reading_pairs where kind = 'cascade' order by all") == [
        ("bo", "covid"),
        ("bo", "pneumonia"),
    ]
    assert ask(tmp_path, "select first, second from reading_pairs where kind = 'reader'") == [("ann", "cy")], "of one object, which is gone"
