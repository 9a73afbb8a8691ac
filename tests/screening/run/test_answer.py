"""Shards come to their commit although workers die, and what is committed is not done again."""

import logging
import os
from pathlib import Path

import pyarrow as pa
import pytest

from screening.bundle.checks import load_manifest
from screening.results.layout import ResultsLayout
from screening.run import pipeline
from screening.run.answer import answer
from screening.run.pipeline import Work
from screening.run.plan import PlannedShard
from screening.run.progress import Progress
from screening.run.screen import screen
from tests.nights import CONFIG, KEY, actors_left, night, only, rows_of
from tests.screening.instance_rows import instance_row, write_instances

pytestmark = pytest.mark.usefixtures("ray_cluster")

KILLER = "05.dcm"


def test_what_is_committed_is_resumed_and_not_done_again(bundle: str, tmp_path: Path) -> None:
    digest, shown = load_manifest(bundle).digest(), []
    write_instances(str(tmp_path), [instance_row(i, shard_id="ab"[i % 2], bundle_digest=digest) for i in range(5)])
    work = Work("run", ResultsLayout(str(tmp_path)), bundle, digest, CONFIG, KEY)
    shards = [PlannedShard("a", 0, 3), PlannedShard("b", 1, 2)]

    def show(progress: Progress) -> None:
        shown.append((progress.planned, progress.resumed, progress.answered))

    progress = answer(work, shards, "run", show)
    assert (progress.answered, progress.outcomes.total(), progress.note) == (5, 0, "")
    assert set(shown) == {(5, 5, 5)}


class KilledByOneImage(pipeline.CascadeActor):
    """An actor whose process one image kills, every time."""

    def __call__(self, decoded: pa.Table) -> pa.Table:
        if any(
            url.endswith(KILLER) and pixels.is_valid
            for url, pixels in zip(decoded["object_url"].to_pylist(), decoded["pixels"], strict=True)
        ):
            os._exit(1)
        return super().__call__(decoded)


def killed_once(flag: Path) -> type[pipeline.CascadeActor]:
    """Return an actor whose process dies at the first call of all."""

    class KilledOnce(pipeline.CascadeActor):
        def __call__(self, decoded: pa.Table) -> pa.Table:
            if not flag.exists():
                flag.touch()
                os._exit(1)
            return super().__call__(decoded)

    return KilledOnce


@pytest.mark.slow  # Ray starts the actor anew
def test_the_loss_of_an_actor_costs_no_row_and_no_slot(
    small_archive: Path, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("ray"), "propagate", False)  # pytest would keep the frames of what is logged, and handles in them
    monkeypatch.setattr(pipeline, "CascadeActor", killed_once(tmp_path / "flag"))
    run = only(screen(night(small_archive, tmp_path / "r", bundle)))
    assert (tmp_path / "flag").exists()
    assert run.counts.outcomes == {"scored": 12, "rejected": 0, "failed": 0}
    assert actors_left() == []


@pytest.mark.slow
def test_an_image_that_kills_its_worker_becomes_a_failed_row(
    small_archive: Path, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CascadeActor", KilledByOneImage)
    run = only(screen(night(small_archive, tmp_path / "r", bundle)))
    assert run.counts.reasons == {"worker_died": 1}
    assert run.counts.outcomes["scored"] == 11
    [failed] = [row for row in rows_of(tmp_path / "r", bundle).to_pylist() if row["outcome"] == "failed"]
    assert failed["object_url"].endswith(KILLER)
