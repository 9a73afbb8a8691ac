"""A Ray cluster of several nodes on this machine, started by `ray start` as on machines of their own, with a token; nodes can be killed."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from screening.run.ray_session import ENVIRONMENT

READY_SECONDS = 120
TRIES = 5  # of a node that does not start: on a busy machine its agents may need longer than the 15 s that a raylet waits for them
STORE_BYTES = 150 * 2**20  # of each node
# a node that is silent for some seconds is dead: Ray waits for more than a minute, which is right for a network and long for a test;
# and what starts slowly on a busy machine is waited for
PATIENCE = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "2000", "RAY_health_check_failure_threshold": "3",
            "RAY_agent_register_timeout_ms": "120000"}  # fmt: skip


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RayNode:
    """One node: what `ray start --block` starts."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], log: Path):
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
        # a port of its own, because another node on this machine has the default one
        command += [f"--dashboard-agent-listen-port={free_port()}", "--include-log-monitor=false"]
        command += [f"--object-store-memory={STORE_BYTES}", "--min-worker-port=0", "--max-worker-port=0", *arguments]
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)

    def pids(self, word: str) -> list[int]:
        """Return the processes of this node that have the word in their name: what their command line begins with, before any option."""
        found = []
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if word in " ".join(process.cmdline()).partition(" --")[0]:
                    found.append(process.pid)
        return found

    def starts(self) -> bool:
        """Return whether the node has started, as soon as it has or has ended instead."""
        end = time.monotonic() + READY_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            if "Ray runtime started" in self._log.read_text():
                return True
            time.sleep(0.2)
        return False

    def signal_raylet(self, number: signal.Signals) -> None:
        """Send a signal to the raylet, in which the object store lives, too."""
        [pid] = self.pids("raylet/raylet")
        os.kill(pid, number)

    def kill(self) -> None:
        """Kill everything of this node, as when its machine loses power."""
        processes = self._tree()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=20)
        self._process.wait()

    def _tree(self) -> list[psutil.Process]:
        """Return what this node has started, also what has lost its parent: all of it is of one session."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError):
                if os.getsid(process.pid) == self._process.pid:
                    found.append(process)
        return found


class RayMachines:
    """A head without CPUs, and as many nodes as are added."""

    def __init__(self, environment: Mapping[str, str] | None = None):
        self._folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short: the paths of sockets have 107 characters
        self.address = f"127.0.0.1:{free_port()}"
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        self.environment = os.environ | ENVIRONMENT | PATIENCE | token | dict(environment or {})
        self._head: RayNode | None = None
        self.nodes: list[RayNode] = []

    def __enter__(self) -> "RayMachines":
        port = self.address.rpartition(":")[2]
        # without the autoscaler's monitor, which would have nothing to start
        head = ["--head", f"--port={port}", "--num-cpus=0", f"--temp-dir={self._folder}", "--include-dashboard=false", "--no-monitor"]
        self._head = self._started(head)
        return self

    def __exit__(self, *_: object) -> None:
        for node in (*self.nodes, self._head):
            if node is not None:
                node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, cpus: int) -> RayNode:
        """Start a node with so many CPUs and return when it has joined."""
        self.nodes.append(self._started([f"--address={self.address}", f"--num-cpus={cpus}"]))
        return self.nodes[-1]

    def remove(self, node: RayNode) -> None:
        """Kill a node."""
        self.nodes.remove(node)
        node.kill()

    @property
    def driver_environment(self) -> dict[str, str]:
        """The variables of a driver that works on this cluster."""
        return self.environment | {"RAY_ADDRESS": self.address}

    def _started(self, arguments: list[str]) -> RayNode:
        for _ in range(TRIES):
            log = self._folder / f"{time.monotonic_ns()}.log"
            node = RayNode(arguments, self.environment, log)
            if node.starts():
                return node
            node.kill()
        raise TimeoutError(f"a node did not start in {TRIES} tries: {log.read_text()[-2000:]}")
