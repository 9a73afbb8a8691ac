"""Errors: one tree, refusals that travel between processes, and faults that hold frames and no value."""

import pickle

import pytest

from schemas.reasons import Reason
from screening import errors
from screening.errors import Fault, Frame, ImageRefused, ScreeningError, UsageError, check_usage


def test_every_error_of_ours_has_one_base() -> None:
    ours = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(ours) > 5
    assert all(issubclass(kind, ScreeningError) for kind in ours)


def test_a_refusal_travels_between_processes() -> None:
    refusal = pickle.loads(pickle.dumps(ImageRefused(Reason.TRUNCATED, "7 bytes are missing")))
    assert (refusal.reason, refusal.detail) == (Reason.TRUNCATED, "7 bytes are missing")
    assert str(refusal) == "truncated: 7 bytes are missing"


def test_usage_is_checked_with_its_message() -> None:
    check_usage(True, "never said")
    with pytest.raises(UsageError, match="--limit is at least 1"):
        check_usage(False, "--limit is at least 1")


def read_a_header() -> None:
    raise ValueError("no such date: Doe^Jane")


def decode_a_file() -> None:
    try:
        read_a_header()
    except ValueError as error:
        raise KeyError("Doe^Jane") from error


def fault_of_a_file() -> Fault:
    try:
        decode_a_file()
    except KeyError as error:
        return Fault.of(error)
    raise AssertionError


def test_a_fault_holds_types_and_frames_and_no_value() -> None:
    fault = fault_of_a_file()
    assert fault.type == "KeyError from ValueError"
    assert [frame.function for frame in fault.frames] == ["decode_a_file", "read_a_header", "fault_of_a_file", "decode_a_file"]
    assert {frame.file for frame in fault.frames} == {"tests/screening/test_errors.py"}
    assert all(frame.line > 0 for frame in fault.frames)
    assert "Doe" not in repr(fault)


def test_a_frame_is_named_below_the_folder_it_was_found_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", ["", "/opt/app", "/opt/app/lib/"])
    assert str(Frame.at("/opt/app/lib/pydicom/dataset.py", 3, "read")) == "pydicom/dataset.py:3 in read"
    assert Frame.at("/opt/app/jobs/cli.py", 1, "main").file == "jobs/cli.py"
    assert Frame.at("/elsewhere/x.py", 1, "f").file == "/elsewhere/x.py"
