"""The methods of the report: whether a threshold was fixed before the radiographs that it is judged by."""

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from schemas.run import RunManifest
from screening.analytics.views import connect
from screening.bundle.checks import load_manifest
from screening.bundle.released import phantom_bundle
from screening.page.wording import interval, share
from screening.report.facts import Facts, ReportOptions, gather
from screening.report.methods import methods
from screening.report.write import render
from screening.results.manifests import now
from tests.chosen_results import RULE, write_chosen
from tests.screening.report.screened import open_people


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder = tmp_path_factory.mktemp("results")
    return gather(open_people(folder), str(folder), ReportOptions(cases=0))


def said_of(facts: Facts, chosen_on: str, results_url: str) -> str:
    """Return what the section on the index test says where stage 3's threshold was chosen on some data."""
    manifest = load_manifest(phantom_bundle())
    point = manifest.operating_points["covid"].model_copy(update={"data": chosen_on})
    bundle = manifest.model_copy(update={"operating_points": {**manifest.operating_points, "covid": point}})
    told = {"archive_url": "a", "results_url": results_url, "bundle_url": "b", "bundle_name": "c", "bundle_digest": facts.digest}
    run = RunManifest(run_id="r", screen_date=date(2020, 3, 1), configuration={}, started=now(), **told)
    sections = {section.name: section for section in methods(dataclasses.replace(facts, bundle=bundle, runs=[run]))}
    return " ".join(str(sections["index-test"].markup()).split())


@pytest.mark.parametrize(
    ("chosen_on", "results_url"),
    [("results", "results"), ("s3://a/results/", "s3://a/results"), (f"file://{Path.cwd()}/results", "results/")],
)
def test_a_threshold_that_was_chosen_on_these_results_is_not_pre_specified(facts: Facts, chosen_on: str, results_url: str) -> None:
    said = said_of(facts, chosen_on, results_url)
    assert "pre-specified" not in said
    assert "The threshold of Stage 3: COVID-19 against other pneumonia was chosen on people of this results folder" in said
    assert "apparent" in said


def test_what_the_choice_flatters_stands_beside_what_it_gave(tmp_path: Path) -> None:
    results, reference, _ = write_chosen(tmp_path)
    page, facts = render(connect(results, reference), results, ReportOptions(cases=0))
    found, said = facts.optimism, " ".join(page.split())
    assert found["sensitivity_optimism"] > 0
    assert f"chosen on these people by {RULE}".replace(">", "&gt;") in said
    limits = interval(found["sensitivity_corrected_low"], found["sensitivity_corrected_high"])
    assert f"{share(found['sensitivity_corrected'])} ({limits})" in said
    assert f"apparent, {share(found['specificity_corrected'])} when corrected for the choice of the threshold" in said


def test_a_choice_that_cannot_be_repeated_leaves_apparent_figures(tmp_path: Path) -> None:
    results, reference, _ = write_chosen(tmp_path, "youden")
    page, _ = render(connect(results, reference), results, ReportOptions(cases=0))
    assert "They are not corrected for it: the rule is none" in " ".join(page.split())
    assert "; apparent" in page


@pytest.mark.parametrize("chosen_on", ["the tuning split of 3 collections", "s3://another/results"])
def test_a_threshold_that_was_chosen_elsewhere_is(facts: Facts, chosen_on: str) -> None:
    said = said_of(facts, chosen_on, "s3://a/results")
    assert "Operating points (pre-specified)" in said
    assert "apparent" not in said
