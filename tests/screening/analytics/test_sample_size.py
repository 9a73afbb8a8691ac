"""Sample sizes by hand, against a plain search, and by what intervals such samples have."""

import numpy as np
import pytest
from scipy.stats import binomtest

from screening.analytics.sample_size import plan_sample, wilson_size
from screening.errors import UsageError
from screening.metrics import wilson


def test_the_inputs_of_a_published_example():
    """Jones, Carley and Harrison 2003 after Buderer 1996: sensitivity 95 %, specificity 80 %, intervals of 5 %, 30 % with a fracture.

    By hand: 1.96² × 0.95 × 0.05 / 0.05² = 72.99 and 1.96² × 0.80 × 0.20 / 0.05² = 245.9; 72.99 / 0.3 = 243.3 and 245.9 / 0.7 = 351.2.
    """
    first, second = plan_sample(0.95, 0.80, 0.30, 0.05)
    assert (first["buderer"], first["buderer_verified"]) == (73, 244)
    assert (second["buderer"], second["buderer_verified"]) == (246, 352)


@pytest.mark.parametrize(("share", "precision"), [(0.9, 0.05), (0.5, 0.1), (0.99, 0.02), (0.05, 0.2)])
def test_wilson_by_trying_every_size(share: float, precision: float):
    halves = [(wilson(share * n, n)[1] - wilson(share * n, n)[0]) / 2 for n in range(1, 2000)]
    assert wilson_size(share, precision) == 1 + next(number for number, half in enumerate(halves) if half <= precision)


def test_samples_of_that_size_are_about_that_precise():
    """Simulated studies, with the Wilson interval of scipy."""
    size, random = plan_sample(0.9, 0.7, 0.05, 0.03)[0]["wilson"], np.random.default_rng(0)
    found = [binomtest(int(k), size).proportion_ci(method="wilson") for k in random.binomial(size, 0.9, 200)]
    assert np.mean([(limits.high - limits.low) / 2 for limits in found]) == pytest.approx(0.03, rel=0.02)


@pytest.mark.parametrize("wrong", [{"sensitivity": 1.0}, {"prevalence": 0.0}, {"precision": 0.5}, {"specificity": 70.0}])
def test_what_is_no_share_is_refused(wrong: dict[str, float]):
    (name,) = wrong
    with pytest.raises(UsageError, match=f"--{name} is"):
        plan_sample(**({"sensitivity": 0.9, "specificity": 0.7, "prevalence": 0.1, "precision": 0.05} | wrong))
