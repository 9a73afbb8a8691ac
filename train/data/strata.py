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


@dataclass(frozen=True)
class Strata:
    """`names`: (group, source) → stratum. `shares`: stratum → images of a batch; in the order in which they stand in it."""

    names: dict[tuple[str, str], str]
    shares: dict[str, int]


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
        return Strata({key: key[0] for key in counts}, dict.fromkeys(present, each // workers * workers))
    homes = _homes(stage, counts)
    names = {(group, source): f"{_side(stage, group)}, {homes[source]}" for group, source in counts}
    sizes: Counter[str] = Counter()
    for key, n in counts.items():
        sizes[names[key]] += n
    weights = _weights(sizes)
    return Strata(names, {name: workers * n for name, n in _apportioned(weights, config.batch_size // workers).items()})


def _side(stage: Stage, group: str) -> str:
    return "positive" if group in stage.positive else "negative"


def _homes(stage: Stage, counts: Counts) -> dict[str, str]:
    """Return where each source's images are drawn with: its own name, or ELSEWHERE."""
    sides: Counter[tuple[str, str]] = Counter()
    for (group, source), n in counts.items():
        sides[source, _side(stage, group)] += n
    return {
        source: source if min(sides[source, "positive"], sides[source, "negative"]) >= LEAST_IMAGES else ELSEWHERE
        for source in sorted({source for _, source in counts})
    }


def _weights(sizes: Mapping[str, int]) -> dict[str, float]:
    """Return the share of a batch that each stratum should have, before rounding."""
    homes = {name: name.split(", ", 1)[1] for name in sizes}
    paired, total = {}, 0.0
    for home in sorted(set(homes.values())):
        members = [name for name in sizes if homes[name] == home]
        if len(members) == 2 and min(sizes[name] for name in members) >= LEAST_IMAGES:
            weight = math.sqrt(sum(sizes[name] for name in members))
            paired |= dict.fromkeys(members, weight / 2)
            total += weight
    rest = {name: n for name, n in sizes.items() if name not in paired}
    if not paired:
        return dict.fromkeys(rest, 1.0)
    share = ONE_SIDED / (1 - ONE_SIDED) * total
    return {name: paired.get(name, share * sizes[name] / max(1, sum(rest.values()))) for name in sizes}


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
