"""How a function tells how far it is: one callback, so that it need not know who shows it, or whether anybody does.

A function that may take seconds has the argument `on_progress: OnProgress = unwatched`. It calls it with the name of the step that goes on,
how much of the step is done, and of how much; the last is 0 where nobody knows. A new name begins a new step, and ends the one before.
"""

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]  # step, done, total


def unwatched(step: str, done: int, total: int) -> None:
    """Show nothing: the default of every `on_progress`."""


def counter(on_progress: OnProgress, step: str, total: int) -> Callable[[int], None]:
    """Begin a step, and return what is called with how many more of its `total` are done."""
    done = 0

    def count(more: int = 1) -> None:
        nonlocal done
        done += more
        on_progress(step, done, total)

    on_progress(step, 0, total)
    return count


def within(on_progress: OnProgress, whole: str) -> OnProgress:
    """Return the callback for a part: its steps are shown as steps of `whole`."""
    return lambda step, done, total: on_progress(f"{whole}: {step}", done, total)
