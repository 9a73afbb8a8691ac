"""Every error that this project raises on purpose. A message names the file, the attribute and the remedy, never a patient."""

import sys
import traceback
from dataclasses import dataclass

from schemas.reasons import Reason


class ScreeningError(Exception):
    """Base of them all: catch this to tell our refusals from bugs."""


class UsageError(ScreeningError):
    """An argument or a combination of arguments that makes no sense. Exit code 2 on the command line."""


class ArchiveError(ScreeningError):
    """The archive cannot be listed at all, or a PACS takes nothing: wrong URL, no permission, no such bucket."""


class BundleError(ScreeningError):
    """A bundle that is damaged, incomplete, or not for this code."""


class PromotionRefused(ScreeningError):
    """A bundle that may have forgotten more than the margin allows, and is not released."""


class ResultsError(ScreeningError):
    """The results folder contradicts itself, e.g. rows are missing or doubled after a run."""


class LockedError(ScreeningError):
    """Another process writes to the results folder; nothing was done."""


class WriteError(ScreeningError):
    """A file cannot be written where it belongs: the disk is full, the folder is read-only, or something else is in its place."""


class ReferenceTableError(ScreeningError):
    """A reference table that lacks a column or holds values that mean nothing."""


class TrainingError(ScreeningError):
    """A manifest or configuration that no stage can be trained with."""


class OutputRefused(ScreeningError):
    """An answer that cannot be written in the form that was asked for, e.g. because the source file does not say whose it is."""


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


@dataclass(frozen=True)
class Frame:
    """One step of a traceback: a place in the code."""

    file: str
    line: int
    function: str

    @classmethod
    def at(cls, file: str, line: int, function: str) -> "Frame":
        """Return a place, its file named below the folder that Python found it in: the rest says where this software is installed."""
        folders = [folder.rstrip("/") + "/" for folder in sys.path if folder]
        return cls(file.removeprefix(max((folder for folder in folders if file.startswith(folder)), key=len, default="")), line, function)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True)
class Fault:
    """Where an error came from that nobody foresaw: its type and its frames, outermost first.

    It holds no message and no value, because either may be a patient's: the text of a ValueError quotes what it could not read.
    """

    type: str
    frames: tuple[Frame, ...] = ()

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """Return the fault of an exception; frames of what caused it come first, as in a traceback."""
        frames: list[Frame] = []
        names = [type(error).__name__]
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is not None:
            below = cls.of(cause)
            frames, names = list(below.frames), [*names, below.type]
        frames += [Frame.at(frame.filename, frame.lineno or 0, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
        return cls(" from ".join(names), tuple(frames))
