"""A server under load: no wrong answer, none lost, also when a replica is killed; and nothing that its OpenAPI allows breaks it."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import ray
from ray import serve

from screening.bundle.released import phantom_bundle
from screening.on_demand.open_bundle import OpenBundle
from screening.run.ray_session import ray_session
from serve.benchmark import benchmark
from tests.archives import phantom_dicom
from tests.served import Reply, Served, a_server

pytestmark = pytest.mark.slow

REQUESTS = 400
CLIENTS = 32
KILLS = 2
LOAD_SECONDS = 40
START_SECONDS = 60  # of a replica
EXAMPLES = 40  # of each kind that schemathesis makes for a route


def test_many_requests_of_thirty_two_clients() -> None:
    times = benchmark(phantom_bundle(), REQUESTS, CLIENTS)
    print(times.ratio, times.over_milliseconds)
    assert times.requests.statuses == {200: REQUESTS}
    assert times.requests.wrong == 0


def kill_a_replica(of: str) -> None:
    """Kill a process of a deployment with SIGKILL, as soon as there is one."""
    until = time.monotonic() + START_SECONDS
    while True:
        replicas = [process for process in psutil.Process().children(recursive=True) if f":{of}" in " ".join(process.cmdline())]
        if replicas:
            os.kill(replicas[0].pid, signal.SIGKILL)
            return
        assert time.monotonic() < until, "no replica is running"
        time.sleep(0.2)


def until_answered(served: Served, file: bytes) -> tuple[Reply, int]:
    """Send a file again for as long as the server asks for that; return the last answer and how often it asked."""
    for attempt in range(200):
        reply = served.score(file)
        if reply.status != 503:
            return reply, attempt
        time.sleep(float(reply.headers["retry-after"]))
    raise AssertionError("told to come back two hundred times")


def test_a_replica_that_is_killed_costs_retries_and_no_answer(tmp_path: Path) -> None:
    files = [phantom_dicom(seed, "covid", 512) for seed in range(4)]
    with a_server(tmp_path, queue=32) as served:
        expected = [served.score(file).json()["answers"][0]["pneumonia_logit"] for file in files]
        until = time.monotonic() + LOAD_SECONDS

        def client(number: int) -> list[tuple[int, float | None, int]]:
            answers = []
            while time.monotonic() < until:
                reply, again = until_answered(served, files[number % 4])
                logit = reply.json()["answers"][0]["pneumonia_logit"] if reply.status == 200 else None
                answers.append((reply.status, logit == expected[number % 4], again))
            return answers

        with ThreadPoolExecutor(8) as clients:
            running = [clients.submit(client, number) for number in range(8)]
            for _ in range(KILLS):
                time.sleep(LOAD_SECONDS / (KILLS + 1))
                kill_a_replica("Cascade")
            answers = [answer for future in running for answer in future.result()]
    print(len(answers), "answers,", sum(again for *_, again in answers), "retries")
    assert {status for status, *_ in answers} == {200}
    assert all(right for _, right, _ in answers)


def test_behind_the_proxies_of_a_cluster_the_answer_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = phantom_dicom(0, "covid", 512)
    with OpenBundle(phantom_bundle(), device="cpu") as bundle:
        [expected] = bundle.score(file, heatmaps=False)
    with ray_session(actors=1):
        monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
        with a_server(tmp_path) as served:
            assert serve.status().proxies
            [answer] = served.score(file).json()["answers"]
    assert (answer["pneumonia_logit"], answer["covid_logit"]) == (expected.answer.pneumonia_logit, expected.answer.covid_logit)


def test_a_gateway_that_is_killed_listens_again_where_it_did(tmp_path: Path) -> None:
    file = phantom_dicom(0, "covid", 512)
    with a_server(tmp_path) as served:
        expected = served.score(file).json()["answers"]
        for _ in range(KILLS):
            kill_a_replica("Gateway")
            time.sleep(1)
            until = time.monotonic() + START_SECONDS
            while not is_up(served):
                assert time.monotonic() < until, "no gateway listens"
                time.sleep(0.2)
            assert served.score(file).json()["answers"] == expected


def is_up(served: Served) -> bool:
    try:
        return served.ask("/readyz", token=None).status == 200
    except OSError:
        return False


def test_a_server_that_ends_answers_what_has_come(tmp_path: Path) -> None:
    files = [phantom_dicom(seed, "covid", 512) for seed in range(8)]
    with ThreadPoolExecutor(len(files)) as clients:
        with a_server(tmp_path, queue=32) as served:
            served.score(files[0])
            replies = [clients.submit(served.score, file, query="?heatmaps=true") for file in files]
            while waiting(served) + sum(reply.done() for reply in replies) < len(files):
                time.sleep(0.005)
            assert not all(reply.done() for reply in replies), "the server was too fast for this test"
        assert [reply.result().status for reply in replies] == [200] * len(files)


def waiting(served: Served) -> int:
    """Return how many requests the server has taken and not answered."""
    lines = served.ask("/metrics").body.decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("screening_waiting_requests "))


def test_nothing_that_the_description_allows_breaks_it(tmp_path: Path) -> None:
    with a_server(tmp_path) as served:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json", "--max-examples", str(EXAMPLES)]
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        options = ["--header", f"Authorization: Bearer {served.tokens['all']}", "--checks", checks, "--seed", "1", "--no-color"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
        print(done.stdout[-3000:])
        assert done.returncode == 0, done.stdout
        assert served.score(phantom_dicom(0, "normal", 512)).json()["answers"][0]["outcome"] == "scored"
