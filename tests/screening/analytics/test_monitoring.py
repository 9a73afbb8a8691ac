"""Monitoring: nights, PSI and late results worked by hand; which limits are crossed, and which cannot be judged."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.reasons import Reason
from schemas.reference import REFERENCE_SCHEMA
from schemas.run import RunManifest, RunTimes
from screening.analytics.monitoring import AlertLimits, Limit, Period, Watch, check_limits, load_limits, watch, with_limits
from screening.analytics.views import connect
from screening.errors import UsageError
from screening.metrics import wilson
from screening.results.layout import ResultsLayout
from screening.results.manifests import write_manifest
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, pneumonia_row, refused_row, write_instances

Rows = list[dict[str, Any]]
TOMORROW = NIGHT + timedelta(1)


@pytest.fixture
def watched(tmp_path: Path) -> Callable[..., Watch]:
    """A function that writes rows and returns what monitoring sees of them."""

    def write_and_watch(rows: Rows, reference: pa.Table | None = None, *, nights: int = 14, baseline: Period | None = None) -> Watch:
        write_instances(str(tmp_path / "results"), rows)
        connection = connect(str(tmp_path / "results"), reference)
        return watch(
            connection, ResultsLayout(str(tmp_path / "results")), nights=nights, baseline=baseline, reference=reference is not None
        )

    return write_and_watch


def night_of(scores: list[float], night: date, first: int, site: str = "A") -> Rows:
    """Return stage-2 negatives with these scores."""
    return [
        instance_row(number, pneumonia_score=score, screen_date=night, InstitutionName=site, lung_area_fraction=0.2)
        for number, score in enumerate(scores, first)
    ]


def test_nights_and_sites_by_hand(watched: Callable[..., Watch]):
    rows = [instance_row(number, InstitutionName="A", lung_area_fraction=0.1 * number) for number in (1, 2, 3)]
    rows += [pneumonia_row(4, covid=True, InstitutionName="A"), pneumonia_row(5, InstitutionName="B"), instance_row(6, audit_sample=True)]
    rows += [refused_row(7, Reason.LATERAL_VIEW, InstitutionName="A"), refused_row(8, Reason.READ_FAILED)]
    found = watched(rows)
    by_site = {row["site"]: row for row in found.nights}
    names = ("objects", "scored", "rejected", "failed", "audited", "pneumonia_positive", "covid_positive")
    assert {site: tuple(row[name] for name in names) for site, row in by_site.items()} == {
        "all sites": (8, 6, 1, 1, 1, 2, 1),
        "A": (5, 4, 1, 0, 0, 1, 1),
        "B": (1, 1, 0, 0, 0, 1, 0),
        "unknown": (2, 1, 0, 1, 1, 0, 0),
    }
    every = by_site["all sites"]
    assert (every["positive_share"], every["rejected_share"]) == (1 / 6, 1 / 8)
    assert (every["positive_share_low"], every["positive_share_high"]) == pytest.approx(wilson(1, 6))
    assert by_site["A"]["lung_area_median"] == pytest.approx(0.2)
    reasons = {(row["site"], row["reason"]): (row["k"], row["n"], row["share"]) for row in found.reasons}
    assert reasons == {
        ("all sites", "lateral_view"): (1, 8, 1 / 8),
        ("all sites", "read_failed"): (1, 8, 1 / 8),
        ("A", "lateral_view"): (1, 5, 1 / 5),
        ("unknown", "read_failed"): (1, 2, 1 / 2),
    }


def test_the_newest_nights_of_each_bundle_are_shown(watched: Callable[..., Watch]):
    rows = [instance_row(number, screen_date=NIGHT + timedelta(number)) for number in range(5)]
    rows.append(instance_row(9, bundle_digest="b" * 64))
    shown = [(row["bundle_digest"][0], row["screen_date"]) for row in watched(rows, nights=2).nights if row["site"] == "all sites"]
    assert shown == [("a", NIGHT + timedelta(3)), ("a", NIGHT + timedelta(4)), ("b", NIGHT)]


def test_psi_by_hand(watched: Callable[..., Watch]):
    """The baseline has 10 scores a bin; the bins of the night have 20, 0, 10, 5, 5, 5, 5, 0, 0 and 0."""
    baseline = [(bin + place / 10) / 10 + 0.005 for bin in range(10) for place in range(10)]
    counts = [20, 0, 10, 5, 5, 5, 5, 0, 0, 0]
    night = [bin / 10 + 0.05 for bin, count in enumerate(counts) for _ in range(count)]
    found = watched(night_of(baseline, NIGHT, 1) + night_of(night, TOMORROW, 1001, site="A"), baseline=Period(NIGHT, NIGHT))
    psi = {(row["screen_date"], row["site"]): row["psi"] for row in found.scores}
    shares = [max(count, 0.5) / 50 for count in counts]
    by_hand = sum((share - 0.1) * log(share / 0.1) for share in shares)
    # 0.3 ln 4 + 4 (-0.09 ln 0.1) + 0.1 ln 2 + 4 (0 ln 1)
    assert by_hand == pytest.approx(0.3 * log(4) + 4 * -0.09 * log(0.1) + 0.1 * log(2))
    assert [psi[NIGHT, site] for site in ("all sites", "A")] == [0, 0]
    assert [psi[TOMORROW, site] for site in ("all sites", "A")] == pytest.approx([by_hand] * 2)
    (row, *_) = [row for row in found.scores if row["screen_date"] == TOMORROW]
    assert (row["n"], row["baseline_n"], row["psi_by_chance"]) == (50, 100, pytest.approx(9 * (1 / 50 + 1 / 100)))
    assert row["deciles"] == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.25, 0.25, 0.35, 0.45, 0.55])


def test_psi_is_numpys_and_chance_is_about_what_is_said(watched: Callable[..., Watch]):
    random = np.random.default_rng(0)
    first, second = random.random(4000).astype(np.float32), (random.random(2000) ** 1.2).astype(np.float32)
    third = random.random(2000).astype(np.float32)
    rows = night_of(first.tolist(), NIGHT, 1) + night_of(second.tolist(), TOMORROW, 10_001)
    rows += night_of(third.tolist(), TOMORROW + timedelta(1), 20_001)
    found = {row["screen_date"]: row for row in watched(rows, baseline=Period(NIGHT, NIGHT)).scores if row["site"] == "A"}
    edges = np.quantile(first, np.arange(1, 10) / 10, method="inverted_cdf")
    a, b = (np.bincount(np.searchsorted(edges, scores, "left"), minlength=10) / len(scores) for scores in (second, first))
    assert found[TOMORROW]["psi"] == pytest.approx(float(((a - b) * np.log(a / b)).sum()), rel=1e-9)
    unchanged = found[TOMORROW + timedelta(1)]
    assert unchanged["psi"] < 3 * unchanged["psi_by_chance"]


def test_a_site_without_a_baseline_has_no_psi(watched: Callable[..., Watch]):
    rows = night_of([0.1, 0.2, 0.3], NIGHT, 1) + night_of([0.1, 0.2], TOMORROW, 11, site="new")
    psi = {(row["screen_date"], row["site"]): row["psi"] for row in watched(rows, baseline=Period(NIGHT, NIGHT)).scores}
    assert psi[TOMORROW, "new"] is None
    assert psi[TOMORROW, "all sites"] is not None
    assert {row["psi"] for row in watched(rows).scores} == {None}


def table_of_tests(*results: tuple[int, str, int]) -> pa.Table:
    """Return a reference table from (person, result, days from NIGHT to the result)."""
    rows = [{"patient_pseudonym": f"{n:032x}", "result": result, "result_date": NIGHT + timedelta(day)} for n, result, day in results]
    return pa.Table.from_pylist(rows, REFERENCE_SCHEMA)


def test_accuracy_is_incomplete_while_results_may_still_come(watched: Callable[..., Watch]):
    rows = [pneumonia_row(1, covid=True), instance_row(2), instance_row(3), instance_row(4)]
    rows += [instance_row(5, screen_date=TOMORROW, StudyDate=TOMORROW)]
    early = table_of_tests((1, "positive", 1), (2, "negative", 2), (3, "indeterminate", 1), (5, "negative", 3))
    (first, _, second, _) = watched(rows, early).accuracy
    names = ("scored", "verified", "indeterminate", "unverified", "open", "incomplete", "tp", "fp", "fn", "tn")
    assert [first[name] for name in names] == [4, 2, 1, 1, 3, True, 1, 0, 0, 1]
    assert second["incomplete"]
    more = table_of_tests((4, "positive", 20), (998, "negative", 21), (999, "negative", 21))
    late = pa.concat_tables([early, more])
    (first, _, second, _) = watched(rows, late).accuracy
    assert [first[name] for name in names] == [4, 3, 1, 0, 0, False, 1, 0, 1, 1]
    assert (first["sensitivity"], first["verified_share"]) == (0.5, 0.75)
    assert (first["sensitivity_low"], first["sensitivity_high"]) == pytest.approx(wilson(1, 2))
    assert second["incomplete"]  # its window ends a day later


def test_one_mistyped_date_neither_closes_nor_opens_a_night(watched: Callable[..., Watch]):
    rows = [instance_row(1), instance_row(2)]
    tests = ((1, "negative", 2), (901, "negative", 3), (902, "negative", 3))
    (night, _) = watched(rows, table_of_tests(*tests)).accuracy
    assert night["open"] == 2
    (mistyped, _) = watched(rows, table_of_tests(*tests, (903, "negative", 366))).accuracy  # of the year after
    assert mistyped == night
    arrived = table_of_tests(*tests, (903, "negative", 366), (904, "negative", 22))
    assert not watched(rows, arrived).accuracy[0]["incomplete"]
    later = [instance_row(1, StudyDate=date(2062, 3, 1)), instance_row(2, StudyDate=date(1900, 1, 1))]
    assert not watched(later, arrived).accuracy[0]["incomplete"]


def run_of(images: int, seconds: float) -> RunManifest:
    """Return a finished run of NIGHT."""
    return RunManifest(
        run_id="20200301T000000Z-000000", status="finished", archive_url="a", results_url="r", bundle_url="b", bundle_name="b",
        bundle_digest=DIGEST, screen_date=NIGHT, configuration={}, started=datetime(2020, 3, 1, tzinfo=UTC),
        times=RunTimes(images=images, wall_seconds=seconds),
    )  # fmt: skip


def crossed(found: Watch, *texts: str, **arguments: Any) -> list[tuple[str, str, float | None]]:
    """Return (limit, where, value) of the limits crossed."""
    judged = check_limits(found, with_limits(AlertLimits(), texts), **arguments)
    return [(finding.limit, finding.site, finding.value) for finding in judged.crossed]


def test_limits_on_shares(watched: Callable[..., Watch]):
    rows = [instance_row(number, InstitutionName="A") for number in range(60)] + [instance_row(100, InstitutionName="B")]
    rows += [refused_row(200 + number, Reason.LATERAL_VIEW, InstitutionName="A") for number in range(20)]
    found = watched(rows)
    assert crossed(found, "max_rejected_share=0.25") == []  # A has 20 of 80: a limit is crossed beyond it
    assert crossed(found, "max_rejected_share=0.24") == [
        ("max_rejected_share=0.24", "all sites", pytest.approx(20 / 81)),
        ("max_rejected_share=0.24", "A", 0.25),
    ]
    assert [row[1] for row in crossed(found, "max_lateral_view_share=0.2")] == ["all sites", "A"]
    assert crossed(found, "max_blank_share=0") == []
    judged = check_limits(found, with_limits(AlertLimits(), ["max_rejected_share=0.5"]))
    assert [(finding.site, finding.n, finding.why_not_judged) for finding in judged.not_judged] == [("B", 1, "fewer than 30 images")]


def test_only_the_newest_night_is_judged_and_a_silent_site_counts_as_none(watched: Callable[..., Watch]):
    rows = [refused_row(number, Reason.BLANK, InstitutionName="A") for number in range(40)]
    rows += [instance_row(100 + number, InstitutionName="B", screen_date=TOMORROW) for number in range(40)]
    found = watched(rows)
    assert crossed(found, "max_rejected_share=0.5") == []
    assert crossed(found, "max_rejected_share=0.5", judged_nights=2) == [
        ("max_rejected_share=0.5", "all sites", 1.0),
        ("max_rejected_share=0.5", "A", 1.0),
    ]
    assert crossed(found, "min_objects=10") == [("min_objects=10", "A", 0)]


def test_limits_on_psi_accuracy_and_speed(watched: Callable[..., Watch], tmp_path: Path):
    write_manifest(ResultsLayout(str(tmp_path / "results")), run_of(100, 50))
    rows = [pneumonia_row(number, covid=number > 10, InstitutionName="A", screen_date=NIGHT) for number in range(1, 41)]
    reference = table_of_tests(*((number, "positive", 1) for number in range(1, 41)), (998, "negative", 40), (999, "negative", 40))
    found = watched(rows, reference, baseline=Period(NIGHT, NIGHT))
    assert crossed(found, "min_sensitivity=0.8", "max_covid_psi=0.1", "min_images_per_second=3") == [
        ("min_sensitivity=0.8", "all sites", 0.75),
        ("min_images_per_second=3", "run 20200301T000000Z-000000", 2.0),
        ("min_sensitivity=0.8", "A", 0.75),
    ]
    judged = check_limits(found, with_limits(AlertLimits(), ["min_specificity=0.9"]))
    assert {finding.why_not_judged for finding in judged.not_judged} == {"fewer than 30 verified radiographs in complete nights"}
    assert (
        check_limits(watched(rows), with_limits(AlertLimits(), ["max_covid_psi=0.1"]))
        .not_judged[0]
        .why_not_judged.startswith("no baseline")
    )


def test_limits_from_a_file(tmp_path: Path):
    path = tmp_path / "limits.toml"
    path.write_text('[limits]\nmax_rejected_share = 0.2\nmin_objects = 10\n[sites."Unit 7"]\nmax_rejected_share = 0.4\n')
    limits = load_limits(str(path))
    assert [str(limit) for limit in limits.of("A")] == ["max_rejected_share=0.2", "min_objects=10"]
    assert [str(limit) for limit in limits.of("Unit 7")] == ["max_rejected_share=0.4", "min_objects=10"]
    more = with_limits(limits, ["max_rejected_share=0.3"])
    assert str(more.of("A")[0]) == "max_rejected_share=0.3"
    assert limits.names() == {"rejected_share", "objects"}
    for text, fault in (("limits = ", "not TOML"), ("[rules]\n", "no table rules"), ("[limits]\nmax_speed = 3\n", "no limit max_speed")):
        path.write_text(text)
        with pytest.raises(UsageError, match=fault):
            load_limits(str(path))
    with pytest.raises(UsageError, match="does not exist"):
        load_limits(str(tmp_path / "none.toml"))


def test_what_makes_no_sense_is_refused():
    for name, value in (("rejected_share", 1), ("max_colour", 1), ("max_objects", "many")):
        with pytest.raises(UsageError):
            Limit.parse(name, value)
    assert Period.parse("2020-03-01:2020-03-14") == Period(date(2020, 3, 1), date(2020, 3, 14))
    for text in ("2020-03-01", "2020-03-14:2020-03-01", "March:April"):
        with pytest.raises(UsageError):
            Period.parse(text)
