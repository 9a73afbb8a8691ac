"""Estimates in words: the same on the page, in the model card and on a terminal. Not known is a dash."""

from typing import Any

from screening.page.wording import NOTHING, share

LABELS = {"normal": "normal", "pneumonia": "pneumonia", "covid": "COVID-19", "not judged": "not judged"}
STAGES = {
    "pneumonia": "Stage 2: pneumonia or normal",
    "covid": "Stage 3: COVID-19 or other pneumonia",
    "cascade": "Cascade: COVID-19 or not",
}
NOT_MEASURED = "Not measured: the evaluation was told to leave it out, see `screening evaluate --audit`."


def estimate(found: dict[str, Any] | None, digits: int = 3) -> str:
    """Return an estimate with its interval in words, a dash where there is none."""
    if found is None or found["value"] is None:
        return NOTHING
    words = f"{found['value']:.{digits}f}"
    return words if found["low"] is None else f"{words} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def calibration_error(found: dict[str, Any]) -> str:
    """Return the expected calibration error of a stage, and what chance alone would make of it, in words."""
    chance = found["ece_by_chance"]
    return estimate(found["ece"]) + (f"; by chance {chance['mean']:.3f}, up to {chance['high']:.3f}" if chance else "")


def proportion(found: dict[str, Any]) -> str:
    """Return a share in percent with k of n and its interval in words."""
    if found["value"] is None:
        return NOTHING
    limits = "" if found["low"] is None else f"; {100 * found['low']:.1f} to {100 * found['high']:.1f}"
    return f"{share(found['value'])} ({found['k']}/{found['n']}{limits})"


def gap(found: dict[str, Any] | None) -> str:
    """Return a difference of two AUROC with the bootstrap's interval and DeLong's p."""
    if found is None:
        return NOTHING
    limits = "" if found["bootstrap_low"] is None else f" ({found['bootstrap_low']:+.3f} to {found['bootstrap_high']:+.3f})"
    p = "" if found["p"] is None else f", p = {found['p']:.3g}"
    return f"{found['difference']:+.3f}{limits}{p}"
