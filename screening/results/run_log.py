"""The log of a run: what its driver and workers logged, as JSON lines below `runs/<run_id>/log/`.

Modules log with the standard `logging`. `log_to` sends what this process logs to the folder of a run. Object stores cannot append to a
file, so each process keeps its lines and puts them as a new object now and then, and at once after a warning.
"""

import contextlib
import json
import logging
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from screening.errors import Fault, WriteError
from screening.results.layout import ResultsLayout
from screening.storage import list_files, put_atomic, read_bytes

PACKAGES = ("screening", "jobs", "train", "serve")  # whose loggers are written
FLUSH_SECONDS = 60  # lines below a warning wait so long at most, as long as anything is logged
FIELDS = ("shard_id", "object_id")  # what a call may hand over as `extra`, beside `fault`
ENTRY_DIGITS = 12

_role: ContextVar[str] = ContextVar("role", default="driver")
_shard: ContextVar[str | None] = ContextVar("shard", default=None)
_attaching = threading.Lock()


def entry_of(object_id: str) -> str:
    """Return the name under which the log has an object's entries: the first digits of its object_id, the same in every run."""
    return object_id[:ENTRY_DIGITS]


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, with `common` in each: which run, or which server, it is of.

    A fault that is handed over as `extra={"fault": …}`, or the exception of `logger.exception`, is written as its type and frames only.
    """

    def __init__(self, common: Mapping[str, str]):
        super().__init__()
        self._common = dict(common)
        self._host, self._pid = socket.gethostname().partition(".")[0], os.getpid()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record."""
        fault = getattr(record, "fault", None)
        if fault is None and record.exc_info and record.exc_info[1] is not None:
            fault = Fault.of(record.exc_info[1])
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._common,
            "role": _role.get(),
            "host": self._host,
            "pid": self._pid,
            "shard_id": _shard.get(),
        }
        entry |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, None)}
        if "object_id" in entry:
            entry["entry"] = entry_of(entry["object_id"])
        return json.dumps(entry if fault is None else entry | {"fault": asdict(fault)}, default=str)


class RunLogHandler(logging.Handler):
    """Puts log records as lines of JSON into a run's folder, in objects whose names no other process uses. Thread-safe."""

    def __init__(self, layout: ResultsLayout, run_id: str):
        super().__init__(logging.INFO)
        self.run_id = run_id
        self._folder = layout.log(run_id)
        self.setFormatter(JsonLines({"run_id": run_id}))
        self._process = f"{socket.gethostname().partition('.')[0]}-{os.getpid()}"
        self._lines: list[str] = []
        self._flushed = -math.inf
        self._shown: set[str] = set()  # roles whose first line was written, at once: it shows who took part
        self._writing = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, and write what was kept where it is time."""
        try:
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)
            return
        new_role = _role.get() not in self._shown  # Ray gives one process decode tasks and write tasks
        self._shown.add(_role.get())
        if new_role or record.levelno >= logging.WARNING or time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was kept. Where the store fails, stderr gets it: a log must not end a run.

        Where the folder is full or read-only the lines are kept for the next time, without a word: the run soon ends with that very error.
        """
        with self._writing:
            lines, self._lines, self._flushed = self._lines, [], time.monotonic()
            if not lines:
                return
            name = f"{self._process}-{time.time_ns()}.jsonl"
            try:
                put_atomic(f"{self._folder}/{name}", ("\n".join(lines) + "\n").encode())
            except WriteError:
                self._lines[:0] = lines
            except Exception as error:
                print(f"log of run {self.run_id} cannot be written ({type(error).__name__})", *lines, sep="\n", file=sys.stderr)


def log_to(layout: ResultsLayout, run_id: str) -> RunLogHandler:
    """Send what this project's modules log in this process to a run's folder from here on, and no longer to another run's."""
    with _attaching:
        present = [handler for handler in logging.getLogger(PACKAGES[0]).handlers if isinstance(handler, RunLogHandler)]
        if present and present[0].run_id == run_id:
            return present[0]
        for handler in present:
            _detach(handler)
        handler = RunLogHandler(layout, run_id)
        for name in PACKAGES:
            logger = logging.getLogger(name)
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False  # people see what a command prints; the terminal is no second log
        return handler


@contextlib.contextmanager
def logging_to(layout: ResultsLayout, run_id: str) -> Iterator[None]:
    """Send what this process logs to a run's folder while the block runs, and write the rest of it at the end."""
    handler = log_to(layout, run_id)
    try:
        yield
    finally:
        with _attaching:
            _detach(handler)


def _detach(handler: RunLogHandler) -> None:
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    handler.flush()


@contextlib.contextmanager
def about(role: str, shard_id: str | None = None) -> Iterator[None]:
    """Name role and shard in every line that this thread logs in the block."""
    tokens = _role.set(role), _shard.set(shard_id)
    try:
        yield
    finally:
        _role.reset(tokens[0])
        _shard.reset(tokens[1])


def read_log(layout: ResultsLayout, run_id: str) -> list[dict[str, Any]]:
    """Return every line of a run's log in the order of time; empty where nothing was logged."""
    lines = [line for url in list_files(layout.log(run_id), ".jsonl") for line in read_bytes(url).decode().splitlines()]
    return sorted(map(json.loads, lines), key=lambda entry: entry["time"])
