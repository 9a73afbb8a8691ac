"""Estimates in words. Not known is a dash."""

import pytest

from screening.page.wording import NOTHING
from train.evaluation.wording import calibration_error, estimate, gap, proportion

ESTIMATE = {"value": 0.98765, "low": 0.9, "high": 1.0, "n": 12, "k": 3}
DIFFERENCE = {"difference": -0.0125, "bootstrap_low": -0.05, "bootstrap_high": 0.025, "p": 0.04567}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (estimate(ESTIMATE), "0.988 (0.900 to 1.000)"),
        (estimate(ESTIMATE, digits=1), "1.0 (0.9 to 1.0)"),
        (estimate(ESTIMATE | {"low": None, "high": None}), "0.988"),
        (proportion({"value": 0.25, "low": 0.0894, "high": 0.5323, "k": 3, "n": 12}), "25.0% (3/12; 8.9 to 53.2)"),
        (proportion({"value": 0.25, "low": None, "high": None, "k": 3, "n": 12}), "25.0% (3/12)"),
        (
            calibration_error({"ece": ESTIMATE, "ece_by_chance": {"mean": 0.05, "high": 0.08}}),
            "0.988 (0.900 to 1.000); by chance 0.050, up to 0.080",
        ),
        (gap(DIFFERENCE), "-0.013 (-0.050 to +0.025), p = 0.0457"),
        (gap(DIFFERENCE | {"bootstrap_low": None, "p": None}), "-0.013"),
    ],
)
def test_what_is_known(said: str, words: str) -> None:
    assert said == words


def test_what_is_not_known_is_a_dash() -> None:
    nothing = {"value": None, "low": None, "high": None, "k": 0, "n": 0}
    unjudged = {"ece": nothing, "ece_by_chance": None}
    assert [estimate(None), estimate(nothing), proportion(nothing), gap(None), calibration_error(unjudged)] == [NOTHING] * 5
