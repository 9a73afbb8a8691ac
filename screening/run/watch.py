"""A worker that hangs ends itself, so that Ray starts another: nobody sits beside a night.

A thread that waits for ever inside a library may hold the lock of Python meanwhile, so nothing that is written in Python can notice it. The
timer of `faulthandler` can.
"""

import faulthandler
import threading
from types import TracebackType

STDERR = 2  # of a worker Ray makes a file of it


class Watch:
    """Ends this process where none of its calls has come on for `seconds`, with the frames of all threads on stderr: no value, no message.

    A call is a `with` block, which says by `came_on` that it is not stuck. Threads share one, and a process has one: it has one timer.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._lock = threading.Lock()
        self._calls = 0

    def __enter__(self) -> "Watch":
        with self._lock:
            self._calls += 1
            self._start_again()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._calls -= 1
            self._start_again()

    def came_on(self) -> None:
        """Give the calls all of their time again."""
        with self._lock:
            self._start_again()

    def _start_again(self) -> None:
        if self._calls:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=STDERR)
        else:
            faulthandler.cancel_dump_traceback_later()
