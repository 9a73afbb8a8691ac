"""sites: what is pooled and what is hidden, against statsmodels and scikit-learn over the same rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm
from sklearn.calibration import calibration_curve

from schemas.reference import REFERENCE_SCHEMA
from screening.analytics.cases import load_cases
from screening.analytics.sites import measure_sites
from screening.analytics.views import connect, connect_cases
from screening.errors import UsageError
from screening.statistics.random_effects import random_effects_share
from tests.screening.instance_rows import NIGHT, person, pneumonia_row, write_instances

SIZES = {"A": 120, "B": 80, "C": 60, "D": 40, "": 50, "few": 3, "fewer": 2, "lopsided": 30}


def people(seed: int = 0) -> dict[str, np.ndarray]:
    """Return site, truth and score of people at eight sites; those of `lopsided` are all negative but two."""
    draw = np.random.default_rng(seed)
    site = np.repeat(list(SIZES), list(SIZES.values()))
    logit = draw.normal(-0.5, 1.5, site.size)
    shift = np.array([list(SIZES).index(name) for name in site]) * 0.3
    truth = draw.random(site.size) < 1 / (1 + np.exp(-(0.5 * logit + shift - 1)))
    truth[site == "lopsided"] = np.arange(30) < 2
    return {"site": site, "truth": truth, "score": 1 / (1 + np.exp(-logit))}


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is said of them, called from a score of 0.5."""
    file = tmp_path_factory.mktemp("sites") / "people.csv"
    rows = zip(*people().values(), strict=True)
    lines = [f"{case},{site},{int(truth)},{float(score)!r}" for case, (site, truth, score) in enumerate(rows)]
    file.write_text("\n".join(["id,InstitutionName,label,covid_score", *lines]))
    return measure_sites(connect_cases([load_cases(str(file))], threshold=0.5))


def test_the_mean_of_the_sites_that_are_shown(answer: dict[str, Any]):
    own = people()
    called, named = own["score"] >= 0.5, own["site"] != ""
    for measure, truth in (("sensitivity", True), ("specificity", False)):
        (row,) = [row for row in answer["random_effects"] if row["measure"] == measure]
        shown = {row["subgroup_value"] for row in answer["sites"] if row[f"{measure}_n"] is not None}
        kept = sorted(shown - {"unknown"})
        assert {"A", "B", "C"} <= set(kept)
        assert not {"few", "fewer"} & set(kept)
        judged = {site: called[(own["site"] == site) & (own["truth"] == truth)] == truth for site in kept}
        pooled = random_effects_share(*(np.array(counts) for counts in zip(*((sum(x), len(x)) for x in judged.values()), strict=True)))
        for name, value in vars(pooled).items():
            assert row[name] == pytest.approx(value), name
        assert (row["places"], row["hidden"]) == (len(kept), len(set(own["site"][named])) - len(kept))
        assert row["prediction_low"] < row["low"] < row["mean"] < row["high"] < row["prediction_high"]


def test_calibration_everywhere_and_by_site(answer: dict[str, Any]):
    own = people()
    rows = {row["site"]: row for row in answer["calibration"]}
    both = [row["subgroup_value"] for row in answer["sites"] if row["sensitivity_n"] is not None and row["specificity_n"] is not None]
    assert list(rows) == ["all", *sorted(both)]
    assert {"A", "B", "C", "unknown"} <= rows.keys()
    for site, row in rows.items():
        chosen = np.full(own["site"].size, True) if site == "all" else own["site"] == ("" if site == "unknown" else site)
        truth, score = own["truth"][chosen], own["score"][chosen]
        logit = np.log(score / (1 - score))
        sloped = sm.GLM(truth, sm.add_constant(logit), sm.families.Binomial()).fit(tol=1e-12)
        moved = sm.GLM(truth, np.ones(truth.size), sm.families.Binomial(), offset=logit).fit(tol=1e-12)
        for name, fit in (("slope", sloped), ("intercept", moved)):
            expected = [fit.params[-1], *fit.conf_int()[-1]]
            assert [row[name], row[f"{name}_low"], row[f"{name}_high"]] == pytest.approx(expected, abs=1e-5), (site, name)
        observed, predicted = calibration_curve(truth, score, n_bins=10)
        counts, _ = np.histogram(score, np.linspace(0, 1, 11))
        assert row["ece"] == pytest.approx((np.abs(observed - predicted) * counts[counts > 0]).sum() / truth.size)


def test_what_is_hidden_tells_no_count(answer: dict[str, Any]):
    hidden = {row["subgroup_value"]: row for row in answer["sites"]}
    assert hidden["few"]["sensitivity_n"] is None
    assert hidden["lopsided"]["sensitivity_n"] is None
    for rows in (answer["calibration"], answer["random_effects"]):
        assert not [row for row in rows if row.keys() & {"n", "k", "positives", "units"}]


def test_radiographs_of_one_person_are_no_more_evidence(tmp_path: Path):
    """Each radiograph twice, so to say: the same figures, and the intervals of persons."""
    draw = np.random.default_rng(1)
    scores, sites = draw.uniform(0.05, 0.95, 80), np.repeat(["A", "B"], 40)
    truth = draw.random(80) < scores
    rows = []
    for number, (score, site) in enumerate(zip(scores, sites, strict=True), 1):
        given = {"patient_pseudonym": person(number), "InstitutionName": str(site), "covid_score": float(score)}
        rows += [pneumonia_row(1000 * copy + number, covid=bool(score > 0.5), **given) for copy in (1, 2)]
    tests = [
        {"patient_pseudonym": person(number), "specimen_date": NIGHT, "result_date": NIGHT, "result": "positive" if ill else "negative"}
        for number, ill in enumerate(truth, 1)
    ]
    write_instances(str(tmp_path), rows)
    with connect(str(tmp_path), pa.Table.from_pylist(tests, REFERENCE_SCHEMA)) as connection:
        twice, once = (
            {row["site"]: row for row in measure_sites(connection, unit)["calibration"] if row["question"] == "stage_3"}
            for unit in ("instance", "patient")
        )
        assert once.keys() == twice.keys() == {"all", "A", "B"}
        for site, row in once.items():
            assert twice[site]["slope"] == pytest.approx(row["slope"])
            widths = [each[site]["slope_high"] - each[site]["slope_low"] for each in (once, twice)]
            assert widths[1] == pytest.approx(widths[0], rel=0.25)
        by_view = measure_sites(connection, by="view", min_cell=1)["sites"]
        assert {row["subgroup_value"] for row in by_view} == {"unknown"}
        for wrong in ({"by": "age"}, {"unit": "person"}):
            with pytest.raises(UsageError, match="it is"):
                measure_sites(connection, **wrong)
