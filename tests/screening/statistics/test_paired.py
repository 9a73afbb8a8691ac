"""Tango's interval and test, against published examples and the likelihood itself."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm, t

from screening.errors import UsageError
from screening.statistics.paired import non_inferiority, tango


def test_airway_reactivity_of_fagerland():
    """Before and after stem cell transplantation (Bentur 2009): 1 both, 1 before, 7 after, 12 neither.

    Fagerland, Lydersen and Laake (Statistics in Medicine 2014;33:2850) give -0.517 to -0.026 for Tango's interval of -0.286.
    """
    assert tango(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert non_inferiority(1, 7, 21, 0.1).difference == pytest.approx(-0.2857, abs=5e-5)


def statistic(b: int, c: int, n: int, difference: float) -> float:
    """Return the score statistic with the likelihood maximised by a search instead of by Tango's formula."""

    def minus_likelihood(second_alone: float) -> float:
        first_alone = second_alone + difference
        rest = 1 - first_alone - second_alone
        return -sum(count * np.log(share) for count, share in ((b, first_alone), (c, second_alone), (n - b - c, rest)) if count)

    low, high = max(0, -difference), (1 - difference) / 2
    best = minimize_scalar(minus_likelihood, bounds=(low + 1e-12, high - 1e-12), method="bounded", options={"xatol": 1e-13}).x
    return (b - c - n * difference) / (n * (2 * best + difference - difference**2)) ** 0.5


@pytest.mark.parametrize("counts", [(9, 4, 100), (1, 7, 21), (0, 3, 40), (12, 2, 14)])
def test_the_limits_are_where_the_score_test_rejects(counts: tuple[int, int, int]):
    low, high = tango(*counts)
    assert statistic(*counts, low) == pytest.approx(1.959964, abs=1e-4)
    assert statistic(*counts, high) == pytest.approx(-1.959964, abs=1e-4)
    only_first, only_second, n = counts
    assert tango(only_second, only_first, n) == pytest.approx((-high, -low))


@pytest.mark.parametrize("counts", [(9, 4, 100), (3, 7, 90), (0, 0, 100)])
def test_the_verdict_is_that_of_the_interval_and_of_p(counts: tuple[int, int, int]):
    verdicts = set()
    for margin in (0.01, 0.03, 0.05, 0.2):
        tested = non_inferiority(*counts, margin)
        assert tested.non_inferior == (tested.low > -margin) == (tested.p < 0.025)
        assert tested.p == pytest.approx(norm.sf(statistic(*counts, -margin)), abs=1e-6)
        verdicts.add(tested.non_inferior)
    assert verdicts == {False, True}


def test_few_clusters_take_students_t():
    alone, few = non_inferiority(9, 4, 100, 0.05), non_inferiority(9, 4, 100, 0.05, clusters=4)
    assert few.low < alone.low < alone.high < few.high
    assert statistic(9, 4, 100, few.low) == pytest.approx(t.ppf(0.975, 3), abs=1e-4)
    assert few.p == pytest.approx(t.sf(norm.isf(alone.p), 3))
    assert (alone.non_inferior, few.non_inferior) == (True, few.low > -0.05)


def test_the_ends_and_wrong_margins():
    assert tango(5, 0, 5)[1] == pytest.approx(1)
    assert tango(0, 5, 5)[0] == pytest.approx(-1)
    low, high = tango(0, 0, 50)
    assert low == pytest.approx(-high)
    assert high == pytest.approx(1.959964**2 / (50 + 1.959964**2))
    for margin in (0, 1, -0.1, float("nan")):
        with pytest.raises(UsageError, match="between 0 and 1"):
            non_inferiority(1, 1, 10, margin)
