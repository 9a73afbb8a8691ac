"""What counts of a folder: parts, listed compacted files, and nothing that the list does not name."""

from datetime import date
from pathlib import Path

import pytest

from screening.errors import ResultsError
from screening.results.compaction import compact
from screening.results.layout import FILE_LIST, ResultsLayout
from screening.results.snapshot import Snapshot, not_of, read_list, shard_of, take
from screening.storage import list_files
from tests.screening.instance_rows import DIGEST, NIGHT
from tests.screening.results.compacted_folder import seen, write_nights


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    """Two nights in a compacted file, and one in parts."""
    layout = ResultsLayout(f"{tmp_path}/results")
    write_nights(layout, 2)
    compact(layout)
    write_nights(layout, 1, first=2)
    return layout


def test_one_bundle_or_all_of_them(layout: ResultsLayout) -> None:
    snapshot = take(layout, DIGEST)
    assert take(layout) == snapshot
    assert (len(snapshot.parts), len(snapshot.compacted), snapshot.replaced()) == (2, 1, [])
    [file] = snapshot.compacted.values()
    assert (file.rows, file.nights) == (12, (NIGHT, date(2020, 3, 2)))
    assert take(layout, "c" * 64) == Snapshot((), {})
    assert take(ResultsLayout(f"{layout.root}/none")) == Snapshot((), {})


def test_a_file_that_the_list_does_not_name_does_not_count(layout: ResultsLayout) -> None:
    [url] = take(layout).compacted
    file = Path(url.removeprefix("file://"))
    file.with_name("rows-0123456789abcdef.parquet").write_bytes(file.read_bytes())
    assert list(take(layout).compacted) == [url]
    assert seen(layout).num_rows == 18


def test_a_list_that_is_lost_or_damaged_ends_every_reader(layout: ResultsLayout) -> None:
    listed = Path(layout.instances(DIGEST)) / FILE_LIST
    kept = listed.read_text()
    listed.write_text(kept.replace('"version": 1', '"version": 2'))
    with pytest.raises(ResultsError, match=rf"{FILE_LIST}: no list of compacted files of this version"):
        seen(layout)
    listed.unlink()
    with pytest.raises(ResultsError, match=rf"rows-.*: the list {FILE_LIST} is missing from"):
        seen(layout)
    listed.symlink_to(listed)  # it leads to itself
    with pytest.raises(ResultsError, match=rf"{FILE_LIST}: cannot be read \(Too many levels of symbolic links\); mend its folder"):
        seen(layout)
    listed.unlink()
    listed.write_text(kept)
    assert seen(layout).num_rows == 18
    assert [file.rows for file in read_list(layout.instances(DIGEST)).files] == [12]


def test_the_place_of_a_part_names_its_shard(layout: ResultsLayout) -> None:
    assert shard_of(layout.part(DIGEST, NIGHT, "00ff")) == shard_of(layout.earlier_part(DIGEST, NIGHT, "00ff")) == (NIGHT, "00ff")
    assert shard_of(f"{layout.root}/instances/part-00ff.parquet") is None
    assert not_of([]) is None
    assert list_files(layout.all_instances, FILE_LIST)
