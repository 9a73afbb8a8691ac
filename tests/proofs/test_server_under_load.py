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

from screening.bundle.released import phantom_bundle
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
    print(times.ratio, times.idle_milliseconds - times.model_milliseconds)
    assert times.requests.statuses == {200: REQUESTS}
    assert times.requests.wrong == 0


def kill_a_replica() -> None:
    """Kill a process of the cascade with SIGKILL, as soon as there is one."""
    until = time.monotonic() + START_SECONDS
    while True:
        replicas = [process for process in psutil.Process().children(recursive=True) if ":Cascade" in " ".join(process.cmdline())]
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
                kill_a_replica()
            answers = [answer for future in running for answer in future.result()]
    print(len(answers), "answers,", sum(again for *_, again in answers), "retries")
    assert {status for status, *_ in answers} == {200}
    assert all(right for _, right, _ in answers)


def test_nothing_that_the_description_allows_breaks_it(tmp_path: Path) -> None:
    with a_server(tmp_path) as served:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json", "--max-examples", str(EXAMPLES)]
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        options = ["--header", f"Authorization: Bearer {served.tokens['all']}", "--checks", checks, "--seed", "1", "--no-color"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path)
        print(done.stdout[-3000:])
        assert done.returncode == 0, done.stdout
        assert served.score(phantom_dicom(0, "normal", 512)).json()["answers"][0]["outcome"] == "scored"
