"""`metrics.json`: what an evaluation found, beside the page that shows it or the card that quotes it."""

import json
from typing import Any

from screening.storage import join, put_atomic

METRICS_FILE = "metrics.json"


def write_metrics(folder_url: str, metrics: dict[str, Any]) -> None:
    """Write what `train.evaluation.evaluate` gave into a folder. Raises ValueError for a number that is none: JSON has no NaN."""
    put_atomic(join(folder_url, METRICS_FILE), json.dumps(metrics, indent=2, allow_nan=False).encode())
