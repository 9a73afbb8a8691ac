import dataclasses

import pytest

from train.config import StageConfig
from train.data.strata import ELSEWHERE, LEAST_IMAGES, ONE_SIDED, strata_of
from train.stages import STAGES

CONFIG = StageConfig("densenet", 64, epochs=1, batch_size=24, learning_rate=1e-3)
BY_SOURCE = dataclasses.replace(CONFIG, balance="source")
COUNTS = {
    **{("normal", "nih"): 320, ("pneumonia", "nih"): 310},
    **{("normal", "montgomery"): 60, ("pneumonia", "montgomery"): 47},
    **{("normal", "cohen"): 3, ("pneumonia", "cohen"): 74, ("covid", "cohen"): 215, ("covid", "hannover"): 153},
}


def test_by_label_each_group_has_the_same_share_whatever_the_source() -> None:
    strata = strata_of(STAGES["pneumonia"], COUNTS, CONFIG, workers=2)
    assert strata.shares == {"normal": 8, "pneumonia": 8, "covid": 8}
    assert strata.names["covid", "hannover"] == "covid"


def test_by_source_both_classes_of_a_hospital_have_the_same_share() -> None:
    strata = strata_of(STAGES["pneumonia"], COUNTS, BY_SOURCE, workers=1)
    for source in ("nih", "montgomery"):
        assert strata.shares[f"positive, {source}"] == pytest.approx(strata.shares[f"negative, {source}"], abs=1)
    assert sum(strata.shares.values()) == 24
    assert strata.shares["positive, nih"] > strata.shares["positive, montgomery"] >= 3


def test_sources_with_one_class_are_a_fixed_share_and_drawn_together() -> None:
    strata = strata_of(STAGES["pneumonia"], COUNTS, BY_SOURCE, workers=1)
    assert {strata.names[key] for key in COUNTS if key[1] in ("cohen", "hannover")} == {f"positive, {ELSEWHERE}", f"negative, {ELSEWHERE}"}
    share = strata.shares[f"positive, {ELSEWHERE}"] + strata.shares[f"negative, {ELSEWHERE}"]
    assert share / 24 == pytest.approx(ONE_SIDED, abs=0.06)


def test_weights_are_the_shares_before_they_are_rounded() -> None:
    strata = strata_of(STAGES["pneumonia"], COUNTS, BY_SOURCE, workers=1)
    total = sum(strata.weights.values())
    assert strata.weights.keys() == strata.shares.keys()
    few = f"negative, {ELSEWHERE}"  # three images
    assert strata.shares[few] == 1
    assert strata.weights[few] / total == pytest.approx(ONE_SIDED * 3 / 445)
    rounded = {name: weight / total * 24 for name, weight in strata.weights.items() if name != few}
    assert all(strata.shares[name] == pytest.approx(exact, abs=1.5) for name, exact in rounded.items())
    assert set(strata_of(STAGES["pneumonia"], COUNTS, CONFIG, workers=2).weights.values()) == {1.0}


def test_sources_that_show_both_classes_only_together_are_one_more() -> None:
    strata = strata_of(STAGES["covid"], COUNTS, BY_SOURCE, workers=1)
    assert strata.names["pneumonia", "nih"] == f"negative, {ELSEWHERE}"
    assert strata.shares[f"positive, {ELSEWHERE}"] == pytest.approx(strata.shares[f"negative, {ELSEWHERE}"], abs=1)
    assert {"positive, cohen", "negative, cohen"} < set(strata.shares)


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_every_worker_has_the_same_share(workers: int) -> None:
    shares = strata_of(STAGES["pneumonia"], COUNTS, BY_SOURCE, workers).shares
    assert all(n % workers == 0 and n >= workers for n in shares.values())
    assert sum(shares.values()) == 24


def test_a_source_needs_enough_of_each_class() -> None:
    few = {("normal", "a"): LEAST_IMAGES - 1, ("pneumonia", "a"): 50, ("normal", "b"): 50, ("pneumonia", "b"): LEAST_IMAGES}
    names = strata_of(STAGES["pneumonia"], few, BY_SOURCE, workers=1).names
    assert (names["normal", "a"], names["normal", "b"]) == (f"negative, {ELSEWHERE}", "negative, b")


def test_lungs_have_one_stratum() -> None:
    strata = strata_of(STAGES["lungs"], {("masked", "nih"): 5, ("masked", "cohen"): 2}, BY_SOURCE, workers=1)
    assert strata.shares == {"masked": 24}
