"""The anti-join: what no committed row answers, in the order of a plan, from an index that memory need not hold."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.index import INDEX_SCHEMA
from screening.errors import ResultsError
from screening.privacy import UrlSeal
from screening.results import rows
from screening.results.layout import ResultsLayout
from screening.run import pending
from screening.run.pending import Pending
from screening.run.plan import newest_first
from screening.run.sealing import opened, sealed
from tests.screening.instance_rows import DIGEST, instance_row, write_instances
from tests.screening.run.plans import index


def listed(folder: Path, objects: pa.Table) -> ResultsLayout:
    """Write the index of run "run" into a results folder and return its layout."""
    layout = ResultsLayout(str(folder))
    Path(layout.index("run")).parent.mkdir(parents=True)
    pq.write_table(objects, layout.index("run"))
    return layout


def answered(layout: ResultsLayout, objects: pa.Table, *places: int, shard_id: str, **columns: object) -> None:
    ids = objects["object_id"].to_pylist()
    write_instances(layout.root, [instance_row(place, object_id=ids[place], shard_id=shard_id, **columns) for place in places])


def rows_of(found: Pending, most: int | None = None, seal: UrlSeal | None = None) -> pa.Table:
    return pa.concat_tables(found.newest_first(found.rows if most is None else most, seal))


def test_what_no_part_of_the_bundle_answers_is_pending(tmp_path: Path) -> None:
    objects = index(4)
    layout = listed(tmp_path, objects)
    assert Pending(layout, DIGEST, layout.index("run")).rows == 4
    answered(layout, objects, 0, 2, shard_id="a")
    answered(layout, objects, 1, shard_id="b", bundle_digest="b" * 64)  # another bundle's answer is none
    write_instances(layout.root, [instance_row(99, shard_id="of an object that is gone")])
    found = Pending(layout, DIGEST, layout.index("run"))
    assert found.rows == 2
    assert rows_of(found).schema.equals(INDEX_SCHEMA, check_metadata=True)
    assert rows_of(found)["object_bytes"].to_pylist() == [3, 1]


def test_every_file_is_read_however_few_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PARTS_IN_TURN", 2)
    objects = index(9)
    layout = listed(tmp_path, objects)
    for place in range(7):
        answered(layout, objects, place, shard_id=f"{place}")
    assert rows_of(Pending(layout, DIGEST, layout.index("run")))["object_bytes"].to_pylist() == [8, 7]


def test_the_order_is_that_of_a_plan_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal times go by name, an object without a time comes last."""
    monkeypatch.setattr(pending, "PIECE_ROWS", 16)
    objects = index(200)
    draw, times = random.Random(0), objects["object_modified"].to_pylist()
    times = [draw.choice([time, times[0]]) for time in times]
    times[5] = times[7] = None
    place = INDEX_SCHEMA.get_field_index("object_modified")
    objects = objects.set_column(place, INDEX_SCHEMA.field(place), pa.array(times, INDEX_SCHEMA.field(place).type))
    objects = objects.take(pa.array(random.Random(1).sample(range(200), 200)))
    layout = listed(tmp_path, objects)
    found = Pending(layout, DIGEST, layout.index("run"))
    assert rows_of(found).equals(newest_first(objects))
    assert rows_of(found, 33).equals(newest_first(objects).slice(0, 33))
    assert list(found.newest_first(0)) == []


def test_encrypted_names_stay_so_and_have_the_order_of_the_open_ones(tmp_path: Path) -> None:
    seal, objects = UrlSeal(b"a pseudonym key for tests"), index(30)
    place = INDEX_SCHEMA.get_field_index("object_modified")
    objects = objects.set_column(place, INDEX_SCHEMA.field(place), pa.array([None] * 30, INDEX_SCHEMA.field(place).type))
    layout = listed(tmp_path, sealed(objects, seal))
    found = rows_of(Pending(layout, DIGEST, layout.index("run")), seal=seal)
    assert all(url.startswith("sealed://") for url in found["object_url"].to_pylist())
    assert opened(found, seal).equals(newest_first(objects))


def test_a_part_that_answers_what_another_answers_is_refused_before_anything_is_planned(tmp_path: Path) -> None:
    objects = index(4)
    layout = listed(tmp_path, objects)
    answered(layout, objects, 0, 1, shard_id="a")
    answered(layout, objects, 1, 2, shard_id="from another folder")
    said = rf"part-a\.parquet and .*part-from another folder\.parquet: more than one row answers object {objects['object_id'][1]},"
    with pytest.raises(ResultsError, match=said):
        Pending(layout, DIGEST, layout.index("run"))
