"""Somebody who watches a function's progress and remembers it."""


class Told:
    """An `OnProgress` that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, int]] = []

    def __call__(self, step: str, done: int, total: int) -> None:
        self.said.append((step, done, total))

    @property
    def steps(self) -> list[str]:
        """The steps in the order in which they began."""
        return list(dict.fromkeys(step for step, _, _ in self.said))

    @property
    def ended(self) -> dict[str, tuple[int, int]]:
        """Step → how much was done in the end, and of how much."""
        return {step: (done, total) for step, done, total in self.said}
