"""How fast to learn at each step, and when to stop."""

import math

WARM_UP = 0.15  # share of all steps in which the learning rate rises
FLOOR = 0.04  # share of the peak at which it begins


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate of `step` (from 0) of `steps`: a linear rise to `peak`, then half a cosine to 0."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return peak * (FLOOR + (1 - FLOOR) * step / rise)
    return peak * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2


class EarlyStopping:
    """Counts the epochs since the loss was last the lowest so far."""

    def __init__(self, patience: int):
        self._patience = patience
        self._best = math.inf
        self._stale = 0

    def see(self, loss: float) -> None:
        """Take in the tuning loss of one more epoch; one that is not a number counts as no better."""
        better = loss < self._best
        self._best = min(self._best, loss) if better else self._best
        self._stale = 0 if better else self._stale + 1

    @property
    def exhausted(self) -> bool:
        """Whether as many epochs as we have patience brought nothing better."""
        return self._stale >= self._patience
