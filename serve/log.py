"""The log of a server: lines of JSON in a folder of this machine, one file a process, with every access in it."""

import logging
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from screening.results.run_log import PACKAGES, JsonLines


def log_to_folder(folder: str | None, role: str) -> None:
    """Send what this process logs to a file of its own in `folder`; where there is none, to whatever Ray Serve has set up.

    A file is readable by its owner only, for it says who asked for whom.
    """
    if folder is None:
        for name in PACKAGES:
            logging.getLogger(name).setLevel(logging.INFO)
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    host = socket.gethostname().partition(".")[0]
    path = Path(folder) / f"{role}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{host}-{os.getpid()}.jsonl"
    path.touch(mode=0o600)
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonLines({"service": role}))
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
