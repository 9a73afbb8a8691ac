"""The section on predictive values and net benefit: its numbers are those of the views, at the prevalence that was asked for."""

import re

import pytest

from screening.errors import UsageError
from screening.page.wording import interval, share
from screening.report.facts import Facts, ReportOptions, gather
from screening.report.net_benefit import decision_chart, net_benefit
from tests.screening.report.screened import open_people


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder = tmp_path_factory.mktemp("results")
    return gather(open_people(folder), str(folder), ReportOptions(cases=0, prevalence=0.05))


def test_values_at_the_stated_prevalence(facts: Facts) -> None:
    said = " ".join(str(net_benefit(facts)).split())
    (row,) = (row for row in facts.predictive_values if row["question"] == "covid")
    (accuracy,) = (row for row in facts.accuracy if (row["question"], row["unit"]) == ("covid", "patient"))
    found, false = accuracy["sensitivity"] * 0.05, (1 - accuracy["specificity"]) * 0.95
    assert row["ppv"] == pytest.approx(found / (found + false))
    assert f"{share(row['ppv'])} ({interval(row['ppv_low'], row['ppv_high'])})" in said
    assert "At the prevalence stated, taken as known" in said
    tenth = next(row for row in facts.decision_curve if round(row["threshold_probability"], 2) == 0.1)
    assert tenth["net_benefit"] == pytest.approx(found - false / 9)
    assert f"{1000 * tenth['net_benefit']:+.1f}" in said
    assert "Scores are not calibrated" in said


def test_a_curve_by_score_where_scores_are_probabilities(facts: Facts) -> None:
    plain = str(decision_chart(facts.decision_curve))
    calibrated = str(decision_chart([row | {"calibrated": True, "net_benefit_by_score": 0.01} for row in facts.decision_curve]))
    assert "By score" in calibrated
    assert "By score" not in plain
    assert len(re.findall("<polyline", calibrated)) == len(re.findall("<polyline", plain)) + 1


def test_a_share_is_no_percentage() -> None:
    with pytest.raises(UsageError, match="--prevalence is a share"):
        ReportOptions(prevalence=5)
