"""The paired comparison against counts made by hand and SciPy's binomial test, and thresholds that call as many."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from schemas.reasons import Reason
from screening.analytics.views import connect
from screening.shadow.compare import compare_accuracy, compare_stages, matching_thresholds, pairs
from tests.screening.instance_rows import instance_row, pneumonia_row, reference_of, refused_row, write_instances

CURRENT, CANDIDATE = "a" * 64, "0" * 64  # the views name the candidate first


def called(number: int, pneumonia: float, covid: float | None, digest: str, at: tuple[float, float] = (0.5, 0.5)) -> dict[str, Any]:
    """Return the row of a bundle that judges everything in both stages, as in a shadow run."""
    positive = pneumonia >= at[0]
    columns = {"bundle_digest": digest, "pneumonia_score": pneumonia, "covid_score": covid}
    columns |= {"pneumonia_logit": 4 * pneumonia, "covid_logit": covid and 4 * covid}
    if positive:
        return pneumonia_row(number, covid=covid is not None and covid >= at[1], **columns)
    return instance_row(number, audit_sample=covid is not None, stage_reached="covid", **columns)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Twenty persons, of whom the first eight are ill; the candidate's scores are higher by a fifth of the way to 1."""
    random, rows = np.random.default_rng(3), []
    for number in range(20):
        pneumonia, covid = (float(value) for value in np.clip(random.random(2) + 0.3 * (number < 8), 0, 1) * 0.9)
        rows.append(called(number, pneumonia, covid if pneumonia >= 0.5 else None, CURRENT))
        rows.append(called(number, pneumonia + 0.2 * (1 - pneumonia), covid + 0.2 * (1 - covid), CANDIDATE))
    rows += [refused_row(30, Reason.READ_FAILED, bundle_digest=CANDIDATE), instance_row(30, bundle_digest=CURRENT)]
    write_instances(str(tmp_path), rows)
    return str(tmp_path)


REFERENCE = reference_of(*[(number, "positive" if number < 8 else "negative", 0) for number in range(20)])


def test_calls_are_counted_in_pairs(folder: str) -> None:
    with connect(folder) as connection:
        found = pairs(connection, CANDIDATE, CURRENT, reference=False)
        stages = compare_stages(connection, found)
        rows = connection.sql("select bundle_digest, object_id, covid_positive from instances where outcome = 'scored'").fetchall()
    assert len(found["ill"]) == 20  # a radiograph that the candidate could not read is compared with nothing
    assert not found["ill"].any()
    ours, theirs = ({key: hit for digest, key, hit in rows if digest == one} for one in (CANDIDATE, CURRENT))
    only_ours = sum(hit and not theirs[key] for key, hit in ours.items())
    only_theirs = sum(not hit and theirs[key] for key, hit in ours.items())
    cascade = stages["covid"]
    assert (cascade.candidate_only, cascade.current_only) == (only_ours, only_theirs)
    assert cascade.both + only_ours == sum(ours.values())
    assert cascade.agreement == pytest.approx(1 - (only_ours + only_theirs) / 20)
    assert cascade.positive_rate.difference == pytest.approx((only_ours - only_theirs) / 20)
    assert cascade.positive_rate.low < cascade.positive_rate.difference < cascade.positive_rate.high
    assert cascade.positive_rate.p == pytest.approx(binomtest(only_ours, only_ours + only_theirs).pvalue)
    assert stages["pneumonia"].logit_pairs == 20
    assert stages["pneumonia"].logit_shift > 0


def test_accuracy_is_candidate_less_current_whichever_digest_comes_first(folder: str) -> None:
    with connect(folder, REFERENCE) as connection:
        one, two = (compare_accuracy(connection, candidate) for candidate in (CANDIDATE, CURRENT))
        query = "select bundle_digest, sensitivity_k from accuracy where unit = 'patient' and question = 'covid'"
        counted = dict(connection.sql(query).fetchall())
    assert one["sensitivity"].candidate == counted[CANDIDATE] / 8
    assert one["sensitivity"].current == counted[CURRENT] / 8
    for name, figure in one.items():
        assert figure.difference == pytest.approx(-two[name].difference)
        assert (figure.low, figure.high) == pytest.approx((-two[name].high, -two[name].low))
        assert figure.candidate == two[name].current


@pytest.mark.parametrize("reference", [False, True])
def test_at_the_matching_thresholds_the_candidate_calls_as_many(folder: str, reference: bool) -> None:
    with connect(folder, REFERENCE if reference else None) as connection:
        found = pairs(connection, CANDIDATE, CURRENT, reference=reference)
    among = found["ill"].astype(bool) if reference else np.ones(20, bool)
    assert among.sum() == (8 if reference else 20)
    at = matching_thresholds(found, among=among)
    passed = found["pneumonia_value"] >= at["pneumonia"]
    assert (passed & among).sum() == (found["current_pneumonia"] & among).sum()
    assert (passed & (found["covid_value"] >= at["covid"]) & among).sum() == (found["current_covid"] & among).sum()


def test_what_the_current_bundle_never_calls_is_matched_by_nothing() -> None:
    values = np.array([0.2, 0.7, 0.9])
    found = {"pneumonia_value": values, "covid_value": np.array([np.nan, 0.1, 0.2])}
    found |= {"current_pneumonia": np.array([False, True, True]), "current_covid": np.zeros(3, bool)}
    assert matching_thresholds(found, among=np.ones(3, bool)) == {"pneumonia": pytest.approx(0.45)}
    assert matching_thresholds(found | {"current_pneumonia": np.zeros(3, bool)}, among=np.ones(3, bool)) == {}
