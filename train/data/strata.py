"""What batches are drawn from: the labels, or each label at each hospital, and how many images of each make a batch."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from train.config import StageConfig
from train.stages import Stage

LEAST_IMAGES = 10  # of each class, for a source to be a pair of strata of its own
ONE_SIDED = 0.2  # share of a batch for the sources that show one class only: more, and their look would tell the class
ELSEWHERE = "elsewhere"

Counts = Mapping[tuple[str, str], int]  # training images by group and source
Place = tuple[str, bool]  # a source or ELSEWHERE, and whether the images are positive


@dataclass(frozen=True)
class Strata:
    """`names`: (group, source) → stratum. `shares`: stratum → images of a batch; in the order in which they stand in it.

    `weights`: stratum → what those shares were rounded from, up to a factor. A stratum of a few images has one of every batch, which may be
    far more.
    """

    names: dict[tuple[str, str], str]
    shares: dict[str, int]
    weights: dict[str, float]


def strata_of(stage: Stage, counts: Counts, config: StageConfig, workers: int) -> Strata:
    """Return what the batches of a stage are drawn from, by `config.balance`: every share is a multiple of `workers`.

    "label" draws the same number from each group. "source" also draws both classes evenly from each source that shows them: there the
    look of the hospital says nothing of the class. Such a source counts by the square root of its size, so that a small hospital is seen
    often enough. All other sources are one more; where together they show one class only, they are `ONE_SIDED` of a batch.
    """
    counts = {key: n for key, n in counts.items() if n}
    if config.balance == "label" or len(stage.groups) == 1:
        present = [group for group in stage.groups if any(group == of for of, _ in counts)]
        each = config.batch_size // max(1, len(present))
        return Strata({key: key[0] for key in counts}, dict.fromkeys(present, each // workers * workers), dict.fromkeys(present, 1.0))
    places = _places(stage, counts)
    sizes: Counter[Place] = Counter()
    for key, n in counts.items():
        sizes[places[key]] += n
    weights = {_named(place): weight for place, weight in _weights(sizes).items()}
    shares = _apportioned(weights, config.batch_size // workers)
    return Strata({key: _named(place) for key, place in places.items()}, {name: workers * n for name, n in shares.items()}, weights)


def _named(place: Place) -> str:
    return f"{'positive' if place[1] else 'negative'}, {place[0]}"


def _places(stage: Stage, counts: Counts) -> dict[tuple[str, str], Place]:
    """Return with which images those of each group and source are drawn: of the source itself, or of ELSEWHERE."""
    sizes: Counter[Place] = Counter()
    for (group, source), n in counts.items():
        sizes[source, group in stage.positive] += n
    own = {source for source, _ in sizes if _shows_both(sizes, source)}
    return {(group, source): (source if source in own else ELSEWHERE, group in stage.positive) for group, source in counts}


def _shows_both(sizes: Mapping[Place, int], home: str) -> bool:
    return min(sizes.get((home, positive), 0) for positive in (False, True)) >= LEAST_IMAGES


def _weights(sizes: Mapping[Place, int]) -> dict[Place, float]:
    """Return the share of a batch that each stratum should have, before rounding."""
    paired = {home: math.sqrt(sum(n for (of, _), n in sizes.items() if of == home)) for home, _ in sizes if _shows_both(sizes, home)}
    rest = sum(n for (home, _), n in sizes.items() if home not in paired)
    share = ONE_SIDED / (1 - ONE_SIDED) * sum(paired.values())
    return {place: (paired[place[0]] / 2 if place[0] in paired else share * n / rest if paired else 1.0) for place, n in sizes.items()}


def _apportioned(weights: Mapping[str, float], places: int) -> dict[str, int]:
    """Return whole numbers that add up to `places` and are nearest to the weights, each at least 1 (largest remainder)."""
    names = sorted(weights)
    exact = {name: weights[name] / sum(weights.values()) * places for name in names}
    given = {name: max(1, math.floor(exact[name])) for name in names}
    by_need = sorted(names, key=lambda name: given[name] - exact[name])
    for i in range(places - sum(given.values())):
        given[by_need[i % len(names)]] += 1
    while sum(given.values()) > places:  # more strata than a batch this small has room for takes from the largest
        given[max(given, key=lambda name: given[name])] -= 1
    return given
