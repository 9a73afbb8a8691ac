"""`screening run` as a process of its own, which can be killed with all that it has started."""

import contextlib
import subprocess
from pathlib import Path

import psutil


def start(command: list[str], results: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*command, "--results", str(results)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_all(process: subprocess.Popen[bytes], *, driver_only: bool) -> None:
    """Kill the driver, and with it, or a few seconds later, every process that it started; leave none behind."""
    tree = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    if driver_only:  # the others notice by themselves; two of Ray's agents take a minute when they look for the others first
        _, tree = psutil.wait_procs(tree, timeout=5)
    for child in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    _, alive = psutil.wait_procs(tree, timeout=30)
    assert not alive, f"left behind: {alive}"
