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
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from screening.run.ray_session import ENVIRONMENT

READY_SECONDS = 120
STORE_BYTES = 150 * 2**20  # of each node
# a node that is silent for some seconds is dead: Ray waits for more than a minute, which is right for a network and long for a test;
# and what starts slowly on a busy machine is waited for
PATIENCE = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "2000", "RAY_health_check_failure_threshold": "3",
            "RAY_agent_register_timeout_ms": "120000"}  # fmt: skip
# that a node's agents listen on: given, because a raylet waits 15 s at most for agents that choose their own
AGENT_PORTS = ("dashboard-agent-grpc-port", "dashboard-agent-listen-port", "runtime-env-agent-port", "metrics-export-port")


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class RayNode:
    """One node: what `ray start --block` starts."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], log: Path):
        command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
        command += [f"--{name}={port}" for name, port in zip(AGENT_PORTS, free_ports(len(AGENT_PORTS)), strict=True)]
        command += [f"--object-store-memory={STORE_BYTES}", "--min-worker-port=0", "--max-worker-port=0", *arguments]
        with log.open("ab") as file:
            self._process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)

    def pids(self, word: str) -> list[int]:
        """Return the processes of this node that have the word in their name: what their command line begins with, before any option."""
        found = []
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if word in " ".join(process.cmdline()).partition(" --")[0]:
                    found.append(process.pid)
        return found

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
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        return []


class RayMachines:
    """A head without CPUs, and as many nodes as are added."""

    def __init__(self, environment: Mapping[str, str] | None = None):
        self._folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short: the paths of sockets have 107 characters
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        self.environment = os.environ | ENVIRONMENT | PATIENCE | token | dict(environment or {})
        self._head: RayNode | None = None
        self.nodes: list[RayNode] = []

    def __enter__(self) -> "RayMachines":
        port = self.address.rpartition(":")[2]
        options = ["--head", f"--port={port}", "--num-cpus=0", f"--temp-dir={self._folder}", "--include-dashboard=false"]
        self._head = self._node(options)
        self._wait_for("GCS", lambda: self._answers(int(port)))
        return self

    def __exit__(self, *_: object) -> None:
        for node in (*self.nodes, self._head):
            if node is not None:
                node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, cpus: int) -> RayNode:
        """Start a node with so many CPUs and return when its raylet is there."""
        node = self._node([f"--address={self.address}", f"--num-cpus={cpus}"])
        self.nodes.append(node)
        self._wait_for("raylet", lambda: bool(node.pids("raylet/raylet")))
        return node

    def remove(self, node: RayNode) -> None:
        """Kill a node."""
        self.nodes.remove(node)
        node.kill()

    @property
    def driver_environment(self) -> dict[str, str]:
        """The variables of a driver that works on this cluster."""
        return self.environment | {"RAY_ADDRESS": self.address}

    def _node(self, arguments: list[str]) -> RayNode:
        return RayNode(arguments, self.environment, self._folder / "started.log")

    def _wait_for(self, what: str, there: Callable[[], bool]) -> None:
        end = time.monotonic() + READY_SECONDS
        while not there():
            if time.monotonic() > end:
                raise TimeoutError(f"no {what} in {READY_SECONDS} s: {(self._folder / 'started.log').read_text()[-2000:]}")
            time.sleep(0.2)

    @staticmethod
    def _answers(port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False
