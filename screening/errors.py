"""Every error that this project raises on purpose. A message names the file, the attribute and the remedy, never a patient."""

from schemas.reasons import Reason


class ScreeningError(Exception):
    """Base of them all: catch this to tell our refusals from bugs."""


class UsageError(ScreeningError):
    """An argument or a combination of arguments that makes no sense. Exit code 2 on the command line."""


class ArchiveError(ScreeningError):
    """The archive cannot be listed at all: wrong URL, no permission, no such bucket."""


class BundleError(ScreeningError):
    """A bundle that is damaged, incomplete, or not for this code."""


class PromotionRefused(ScreeningError):
    """A bundle that may have forgotten more than the margin allows, and is not released."""


class ResultsError(ScreeningError):
    """The results folder contradicts itself, e.g. rows are missing or doubled after a run."""


class ReferenceTableError(ScreeningError):
    """A reference table that lacks a column or holds values that mean nothing."""


class TrainingError(ScreeningError):
    """A manifest or configuration that no stage can be trained with."""


class ImageRefused(ScreeningError):
    """One image cannot be scored. Becomes a row with `reason` and `detail`; never ends a task."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self):
        return ImageRefused, (self.reason, self.detail)


def check_usage(holds: bool, message: str) -> None:
    """Raise UsageError with `message` unless the condition holds."""
    if not holds:
        raise UsageError(message)
