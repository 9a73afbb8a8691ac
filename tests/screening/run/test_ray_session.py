"""The local Ray that a run starts, as its workers see it."""

import os
import subprocess
import sys

import pytest
import ray
from ray.data._internal.datasource_v2.formats.parquet.footer_file_indexer import FooterFileIndexer

from screening.run.machine import memory_bytes
from screening.run.ray_session import OBJECT_STORE_BYTES, OBJECT_STORE_SHARE, ray_session
from tests.listening import open_to_others

pytestmark = pytest.mark.usefixtures("ray_cluster")  # ray_session(actors=2)

MANY_WORKERS = """
import os, time, ray
from screening.run.ray_session import ray_session
with ray_session():
    Actor = ray.remote(num_cpus=0)(type("Actor", (), {"answer": lambda self: 1}))
    actors = [Actor.remote() for _ in range(4 * min(os.cpu_count(), 4) + 12)]
    ray.get([actor.answer.remote() for actor in actors])
    time.sleep(3)  # Ray's messages come by another thread
"""


@ray.remote
def environment_of_a_worker() -> dict[str, str]:
    return dict(os.environ)


def test_a_session_within_another_is_that_one_and_leaves_it_open() -> None:
    before = ray.get_runtime_context().get_node_id()
    with ray_session(actors=7):
        assert ray.get_runtime_context().get_node_id() == before
    assert ray.is_initialized()


def test_there_is_a_slot_for_each_core_and_half_a_one_for_each_actor_and_one_more() -> None:
    assert ray.cluster_resources()["CPU"] == (os.cpu_count() or 1) + 2


def test_shared_memory_is_for_each_actor_and_leaves_most_to_the_others() -> None:
    expected = min(2 * OBJECT_STORE_BYTES, int(OBJECT_STORE_SHARE * memory_bytes()))
    assert ray.cluster_resources()["object_store_memory"] == pytest.approx(expected, rel=0.01)


def test_no_usage_report_leaves_and_workers_keep_one_heap() -> None:
    environment = ray.get(environment_of_a_worker.remote())
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["MALLOC_ARENA_MAX"] == "1"


def test_footers_of_parquet_are_read_by_one_process() -> None:
    assert vars(FooterFileIndexer(ignore_missing_paths=False))["_num_actors"] == 1, "Ray names the variable otherwise"


def test_no_process_of_a_local_session_listens_to_other_machines() -> None:
    ray.get(environment_of_a_worker.remote())  # so that there is a worker
    assert open_to_others() == []


@pytest.mark.slow
def test_more_workers_than_cores_are_nothing_to_warn_of() -> None:
    environment = os.environ | {"RAY_preload_python_modules": ""}  # so that workers start sooner
    environment.pop("RAY_ADDRESS", None)
    run = subprocess.run([sys.executable, "-c", MANY_WORKERS], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""
