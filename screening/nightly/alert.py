"""Telling somebody: a program that gets the message on stdin, a web hook that gets it by POST, or both."""

import json
import logging
import subprocess
import urllib.request
from typing import Literal

from schemas.nightly import AlertTo, NightRecord

Event = Literal["failed", "late", "stopped", "limit_crossed", "not_promoted", "finished"]
SECONDS = 30.0  # that a program or a web hook may take

log = logging.getLogger(__name__)


def tell(alert: AlertTo, event: Event, message: str, record: NightRecord) -> None:
    """Send what happened as one JSON object: event, message, results_url and the record of the night.

    Nothing is raised: a night does not end because nobody can be told of it. What could not be sent is logged.
    """
    record.told.append(f"{event}: {message}")
    log.log(logging.INFO if event == "finished" else logging.WARNING, "%s: %s", event, message)
    if event == "finished" and not alert.also_good_nights:
        return
    told = {"event": event, "message": message, "results_url": record.results_url, "night": record.model_dump(mode="json")}
    body = json.dumps(told).encode()
    if alert.command:
        _run(alert.command, body)
    if alert.url:
        _post(alert.url, body)


def _run(command: tuple[str, ...], body: bytes) -> None:
    try:
        done = subprocess.run(command, input=body, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("the alert's command %s could not be run: %s", command[0], type(error).__name__)
        return
    if done.returncode:
        log.error("the alert's command %s ended with %d", command[0], done.returncode)


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            pass
    except (OSError, ValueError) as error:  # an address may hold a secret: only its kind of failure is logged
        log.error("the alert's web hook did not take the message: %s", type(error).__name__)
