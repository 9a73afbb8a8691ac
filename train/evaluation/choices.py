"""What an evaluation can be told. Needs no torch, so that a command line knows it at once."""

from enum import StrEnum

DEFAULT_SPLITS = ("val", "test")


class AuditDepth(StrEnum):
    """What is measured of the shortcut audit; what is not is null in the metrics."""

    NONE = "none"  # nothing: each image is judged once
    QUICK = "quick"  # all but the networks with random weights, whose backward passes take most of a full audit's time
    FULL = "full"
