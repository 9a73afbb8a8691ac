"""The pipeline on a real local Ray: a summary a shard or a row, nothing written where it only probes, and Ray Data left as it was."""

import dataclasses
import pickle
from pathlib import Path

import pyarrow as pa
import pytest
import ray.data

from schemas.index import INDEX_SCHEMA
from screening.archive.index import scan
from screening.bundle.checks import load_manifest
from screening.results.layout import ResultsLayout
from screening.results.parts import list_parts
from screening.run.config import MachineConfig
from screening.run.pipeline import SUMMARY_SCHEMA, Work, execute, load_cascade
from screening.run.plan import PlannedShard, PlanReader, cut_into_shards, write_plan
from tests.archives import phantom_dicom
from tests.nights import CONFIG, KEY, configured

pytestmark = pytest.mark.usefixtures("ray_cluster")


@pytest.fixture
def work(bundle: str, tmp_path: Path) -> Work:
    """A plan of two shards: three images and what is none."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.dcm").write_bytes(phantom_dicom(i))
    (folder / "note.txt").write_bytes(b"not an image")
    found = Work("run", ResultsLayout(str(tmp_path / "r")), bundle, load_manifest(bundle).digest(), CONFIG, KEY)
    index = pa.concat_tables([INDEX_SCHEMA.empty_table(), *scan(str(folder))])
    write_plan(cut_into_shards([index], [3, 1], salt="s"), found.plan_url)
    return found


def planned(work: Work) -> list[PlannedShard]:
    return PlanReader(work.plan_url).shards()


def test_a_shard_is_committed_and_summed_up(work: Work) -> None:
    context = ray.data.DataContext.get_current()
    before = (context.max_errored_blocks, context.target_max_block_size, context.execution_options.resource_limits)
    shards = planned(work)
    summaries = {summary["shard_id"]: summary for summary in execute(work, shards)}
    assert (context.max_errored_blocks, context.target_max_block_size, context.execution_options.resource_limits) == before
    assert summaries.keys() == {shard.shard_id for shard in shards}
    for summary in summaries.values():
        assert summary.keys() == set(SUMMARY_SCHEMA.names)
        assert summary["decode_seconds"] > 0
        assert summary["write_seconds"] > 0
        assert 0 <= summary["covid_positive"] <= summary["pneumonia_positive"] <= summary["outcomes"].count("scored")
    assert sorted(outcome for summary in summaries.values() for outcome in summary["outcomes"]) == ["rejected", *["scored"] * 3]
    assert [reason for summary in summaries.values() for reason in summary["reasons"] if reason] == ["not_dicom"]
    assert len(list_parts(work.layout, work.bundle_digest)) == 2


def test_a_probe_tells_each_row_and_writes_nothing(work: Work) -> None:
    shards, reader = planned(work), PlanReader(work.plan_url)
    probe = dataclasses.replace(work, commit=False, quarantined={reader.read(shards[1])["object_id"][0].as_py(): "it killed its worker"})
    summaries = list(execute(probe, shards, rows_apart=True))
    assert sorted(object_id for summary in summaries for object_id in summary["object_ids"]) == sorted(
        object_id for shard in shards for object_id in reader.read(shard)["object_id"].to_pylist()
    )
    assert [len(summary["outcomes"]) for summary in summaries] == [1] * 4
    assert [summary["reasons"] for summary in summaries if summary["shard_id"] == shards[1].shard_id] == [["worker_died"]]
    assert list_parts(work.layout, work.bundle_digest) == []


def test_nothing_to_do_is_nothing_done(work: Work) -> None:
    assert list(execute(work, [])) == []


def test_what_workers_know_travels_and_shows_no_key(work: Work) -> None:
    assert pickle.loads(pickle.dumps(work)) == work
    assert KEY.decode() not in repr(work)


def test_the_cascade_of_an_actor_is_as_configured(bundle: str) -> None:
    config = configured(CONFIG, dtype="float32", batch_size=3)
    cascade = load_cascade(bundle, dataclasses.replace(config, machine=MachineConfig(batch_size=3)), threads=1)
    assert (cascade.batch_size, cascade.device.type) == (3, "cpu")
