"""The report without a browser: its numbers are those of the views, nothing of a table becomes markup, and empty sections say why."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from screening.analytics.lead_time import measure_lead_time
from screening.analytics.sites import measure_sites
from screening.analytics.views import connect
from screening.page.wording import count, interval, share
from screening.privacy import UrlSeal
from screening.report.facts import ReportOptions
from screening.report.gallery import open_cases
from screening.report.write import render
from tests.readings import reading_of, write_readings
from tests.screening.instance_rows import instance_row, write_instances
from tests.screening.report.screened import CHARTS, HOSTILE, open_people, reference_of_people, rows_of_people, write_pictures
from tests.told import Told

ROOT = Path(__file__).resolve().parents[3]


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, and the text of each section."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {"": ""}
        self._section = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "section":
            self._section = attributes["id"] or ""
            self.sections[self._section] = ""

    def handle_data(self, data: str) -> None:
        self.sections[self._section] += data + " "

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if attributes.get("id")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def written(folder: Path) -> tuple[Page, dict]:
    """The report of the small screening, with rows of the views that it was made from."""
    connection = open_people(folder)
    text, _ = render(connection, str(folder))
    views = {
        view: connection.sql(f"from {view}").to_arrow_table().to_pylist()
        for view in ("stage_accuracy", "flow", "lead_time_summary", "auroc", "report_verification", "report_roc")
    }
    return Page(text), views


def test_every_chart_is_there_with_a_title_and_its_numbers(written: tuple[Page, dict]):
    page, _ = written
    charts = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert {attributes["id"] for attributes in charts} == {f"chart-{name}" for name in CHARTS}
    ids = page.ids()
    assert len(ids) == len(set(ids))
    for attributes in charts:
        assert attributes["role"] == "img"
        assert set((attributes["aria-labelledby"] or "").split()) <= set(ids)
    assert [tag for tag, _ in page.elements].count("details") >= len(CHARTS)


def test_the_page_asks_for_nothing(written: tuple[Page, dict]):
    page, _ = written
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "video", "audio", "form"}
    for _, attributes in page.elements:
        for name in ("src", "href"):
            if (url := attributes.get(name)) is not None:
                assert url.startswith(("#", "data:"))
        assert not [name for name in attributes if name.startswith("on")]
    policy = next(attributes["content"] for tag, attributes in page.elements if tag == "meta" and "http-equiv" in attributes)
    assert "default-src 'none'" in (policy or "")


def test_accuracy_is_that_of_the_views(written: tuple[Page, dict]):
    page, views = written
    for row in views["stage_accuracy"]:
        if row["question"] in ("covid", "pneumonia"):
            for name in ("sensitivity", "specificity", "ppv", "npv"):
                expected = f"{share(row[name])} {count(row[f'{name}_k'])}/{count(row[f'{name}_n'])}"
                assert expected in page.sections["accuracy"]
    (cells,) = (row for row in views["stage_accuracy"] if (row["unit"], row["question"]) == ("patient", "covid"))
    table = re.search(r"By person, .*?test \+\s+(\d+)\s+(\d+)\s+test −\s+(\d+)\s+(\d+)", page.sections["accuracy"], re.DOTALL)
    assert table is not None
    assert [int(cell) for cell in table.groups()] == [cells[name] for name in ("tp", "fp", "fn", "tn")]
    assert f"{count(cells['unverified'])} unverified" in page.sections["accuracy"]


def test_flow_lead_time_and_areas_are_those_of_the_views(written: tuple[Page, dict]):
    page, views = written
    for row in views["flow"]:
        assert f"{count(row['images'])} {count(row['patients'])}" in page.sections["flow"]
    for row in views["lead_time_summary"]:
        assert f"{row['days']} or more {count(row['k'])} {count(row['n'])} {share(row['share'])}" in page.sections["lead-time"]
    (area,) = (row for row in views["auroc"] if (row["unit"], row["question"]) == ("patient", "covid"))
    assert f"{area['auroc']:.3f} ({area['auroc_low']:.3f} to {area['auroc_high']:.3f})" in page.sections["roc"]


def test_the_curves_over_days_are_those_of_the_answers(folder: Path, written: tuple[Page, dict]):
    section = written[0].sections["lead-time"]
    with connect(str(folder), reference_of_people()) as connection:
        found = measure_lead_time(connection)
    assert {row["population"] for row in found["curve"]} == {"confirmed", "found"}
    for row in found["curve"]:
        assert f"{count(row['at_risk'])} {share(row['share'])} {interval(row['low'], row['high'])}" in section
    for row in found["onset_curve"]:
        assert f"{row['days']} {share(row['share'])} {interval(row['low'], row['high'])}" in section
    assert "a straight line of the" in section


def test_the_sites_are_pooled_and_calibrated(tmp_path: Path, written: tuple[Page, dict]):
    rows = [row | {"InstitutionName": f"Site {number % 4}"} for number, row in enumerate(rows_of_people(120))]
    write_instances(str(tmp_path), rows)
    with connect(str(tmp_path), reference_of_people(120)) as connection:
        text, _ = render(connection, str(tmp_path))
        expected = measure_sites(connection)
    found = Page(text).sections["sites"]
    for row in expected["random_effects"]:
        if row["question"] == "covid":
            assert f"{share(row['mean'])} ({interval(row['low'], row['high'])})" in found
            assert interval(row["prediction_low"], row["prediction_high"]) in found
    for row in expected["calibration"]:
        if row["question"] != "covid" and row["slope"] is not None:
            assert f"{row['slope']:.2f} ({row['slope_low']:.2f} to {row['slope_high']:.2f})" in found
    assert "needs 3 sites" in written[0].sections["sites"], "of two sites there is no prediction interval"


def test_the_persons_of_the_curves_are_those_of_the_2x2_table(written: tuple[Page, dict]):
    _, views = written
    for row in views["report_verification"]:
        (cells,) = (cell for cell in views["stage_accuracy"] if (cell["unit"], cell["question"]) == ("patient", row["question"]))
        for name in ("tp", "fp", "fn", "tn", "indeterminate", "unverified", "not_scored"):
            assert row[name] == cells[name]
        points = [point for point in views["report_roc"] if point["question"] == row["question"]]
        assert {point["tp"] + point["fn"] for point in points} == {row["tp"] + row["fn"]}
        assert (points[-1]["fn"], points[-1]["tn"]) == (0, 0), "the last point calls everybody positive"


def test_how_far_the_unverified_could_move_the_answer(written: tuple[Page, dict]):
    _, views = written
    row = next(row for row in views["report_verification"] if row["question"] == "covid")
    called, not_called = row["unknown_called"], row["unknown_not_called"]
    assert called + not_called == row["indeterminate"] + row["unverified"] > 0
    assert row["sensitivity_lowest"] == row["tp"] / (row["tp"] + row["fn"] + not_called)
    assert row["sensitivity_highest"] == (row["tp"] + called) / (row["tp"] + called + row["fn"])
    assert row["specificity_lowest"] == row["tn"] / (row["tn"] + row["fp"] + called)
    assert row["specificity_highest"] == (row["tn"] + not_called) / (row["tn"] + not_called + row["fp"])


def test_a_value_of_a_table_never_becomes_markup(tmp_path: Path):
    rows = [row | {"InstitutionName": HOSTILE, "Manufacturer": '"><img src=x onerror=alert(1)>'} for row in rows_of_people(20)]
    write_instances(str(tmp_path), rows)
    text, _ = render(connect(str(tmp_path), reference_of_people(20)), str(tmp_path), ReportOptions(title=HOSTILE))
    tags = [tag for tag, _ in Page(text).elements]
    assert "script" not in tags
    assert "img" not in tags
    assert "&lt;script&gt;" in text


def test_a_reason_that_a_later_version_wrote_is_listed(tmp_path: Path):
    later = instance_row(1, outcome="rejected", reason="of_a_later_version", covid_positive=None)
    write_instances(str(tmp_path), [later, instance_row(2)])
    text, _ = render(connect(str(tmp_path)), str(tmp_path))
    assert "of a later version" in text
    assert "a reason that this version of the software does not know" in text


def test_nothing_screened(tmp_path: Path):
    told = Told()
    text, facts = render(connect(str(tmp_path), reference_of_people(5), on_progress=told), str(tmp_path), on_progress=told)
    assert told.steps == ["opening the results", "preparing the views", "reading cases and drawing the page"]
    page = Page(text)
    assert facts.scope is None
    assert not [tag for tag, _ in page.elements if tag == "svg"]
    for name in (
        "flow",
        "participants",
        "accuracy",
        "roc",
        "thresholds",
        "subgroups",
        "sites",
        "calibration",
        "lead-time",
        "timeline",
        "gallery",
    ):
        assert "nothing was screened yet" in page.sections[name], name


def test_no_reference_table(folder: Path, written: tuple[Page, dict]):
    told = Told()
    page = Page(render(connect(str(folder)), str(folder), on_progress=told)[0])
    assert len(set(told.ended["asking the views"])) == 1
    charts = {attributes["id"] for tag, attributes in page.elements if tag == "svg"}
    assert charts == {"chart-flow", "chart-participants", "chart-failures"}
    for name in ("accuracy", "unknown", "roc", "thresholds", "subgroups", "calibration", "lead-time", "timeline", "gallery"):
        assert "--reference FILE" in page.sections[name], name


def test_nobody_verified(tmp_path: Path, folder: Path, written: tuple[Page, dict]):
    told = Told()
    page = Page(render(connect(str(folder), reference_of_people(60).slice(0, 0)), str(folder), on_progress=told)[0])
    assert len(set(told.ended["asking the views"])) == 1
    for name in ("interval", "roc", "thresholds", "subgroups", "calibration", "lead-time", "timeline"):
        assert "Empty, because" in page.sections[name], name


def test_of_two_bundles_the_latest_is_reported(tmp_path: Path):
    rows = rows_of_people(10)
    later = [row | {"bundle_digest": "b" * 64, "screen_date": row["screen_date"].replace(day=20)} for row in rows]
    write_instances(str(tmp_path), rows + later)
    text, facts = render(connect(str(tmp_path), reference_of_people(10)), str(tmp_path))
    assert (facts.digest, facts.other_bundles) == ("b" * 64, ["a" * 64])
    assert "aaaaaaaaaaaa" in Page(text).sections["index-test"]


def test_pictures_of_a_case(tmp_path: Path):
    rows = rows_of_people(12)
    write_pictures(tmp_path, rows[0])
    write_instances(str(tmp_path / "results"), rows)
    text, facts = render(connect(str(tmp_path / "results"), reference_of_people(12)), str(tmp_path / "results"))
    panels = {case.row["object_id"]: case.panels for case in open_cases(facts.gallery, str(tmp_path / "results"))}
    shown = panels[rows[0]["object_id"]]
    assert [panel.title for panel in shown] == ["Radiograph", "Pneumonia map", "COVID-19 map", "Guided activation"]
    assert all((panel.png or "").startswith("data:image/png;base64,") for panel in shown)
    others = [panel for object_id, case in panels.items() if object_id != rows[0]["object_id"] for panel in case]
    assert {panel.png for panel in others} == {None}, "their objects are gone"
    page = Page(text)
    assert "cannot be read any more (object missing)" in page.sections["gallery"]
    assert "Stage 3 was not reached." in page.sections["gallery"]
    assert rows[0]["patient_pseudonym"] not in text
    assert rows[0]["object_id"] not in text
    (tmp_path / "chest.png").write_bytes(b"another image")
    changed = open_cases(facts.gallery, None)
    assert "cannot be decoded" in next(case for case in changed if case.row["object_id"] == rows[0]["object_id"]).panels[0].note


def test_a_radiograph_with_an_encrypted_name_needs_the_key(tmp_path: Path):
    rows, key = rows_of_people(12), b"a pseudonym key for tests"
    write_pictures(tmp_path, rows[0])
    rows[0]["object_url"] = UrlSeal(key).seal(rows[0]["object_url"])
    write_instances(str(tmp_path / "results"), rows)
    connection = connect(str(tmp_path / "results"), reference_of_people(12))
    text, facts = render(connection, str(tmp_path / "results"), pseudonym_key=key)
    first = {
        name: next(case for case in open_cases(facts.gallery, None, other) if case.row["object_id"] == rows[0]["object_id"]).panels[0]
        for name, other in {"none": None, "right": key, "wrong": b"another key of sixteen bytes"}.items()
    }
    assert first["right"].png in text
    assert (first["none"].png, first["wrong"].png) == (None, None)
    assert "--pseudonym-key" in first["none"].note
    assert "another pseudonym key" in first["wrong"].note
    assert "chest.png" not in text


def test_maps_are_found_in_results_that_were_moved(tmp_path: Path):
    rows = rows_of_people(12)
    write_pictures(tmp_path, rows[0])
    moved = tmp_path / "results/heatmaps" / f"bundle={'a' * 12}" / f"screen_date={rows[0]['screen_date']}"
    moved.mkdir(parents=True)
    (tmp_path / "maps.zip").rename(moved / f"{rows[0]['shard_id']}.zip")
    write_instances(str(tmp_path / "results"), rows)
    _, facts = render(connect(str(tmp_path / "results"), reference_of_people(12)), str(tmp_path / "results"))
    case = next(case for case in open_cases(facts.gallery, str(tmp_path / "results")) if case.row["object_id"] == rows[0]["object_id"])
    assert all(panel.png for panel in case.panels)


def test_a_gallery_holds_each_kind_and_no_more_than_asked(folder: Path, written: tuple[Page, dict]):
    _, facts = render(connect(str(folder), reference_of_people()), str(folder), ReportOptions(cases=3))
    assert [row["kind"] for row in facts.gallery] == ["true positive", "false positive", "false negative"]
    text, _ = render(connect(str(folder), reference_of_people()), str(folder), ReportOptions(cases=0))
    assert "without cases" in Page(text).sections["gallery"]


def test_a_long_timeline_is_thinned_evenly(folder: Path, written: tuple[Page, dict]):
    text, facts = render(connect(str(folder), reference_of_people()), str(folder), ReportOptions(timeline_rows=7, cases=0))
    places, of = [row["place"] for row in facts.timeline], facts.timeline[0]["of"]
    assert len(places) == 7 < of
    assert max(b - a for a, b in pairwise(places)) <= of // 7 + 1
    assert f"{of - 7} of {of} persons are not shown" in Page(text).sections["timeline"]


def test_loads_without_torch_and_ray():
    code = "import sys, screening.report, jobs.write_report; assert not {'torch', 'ray'} & set(sys.modules), 'torch or ray was loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)


def test_the_papers_evaluation_as_a_file_of_cases():
    from jobs.analytics_source import open_source

    path = Path(os.environ.get("PAPER_DATA", ROOT.parent / "shared/data/paper")) / "nhia.csv"
    if not path.exists():
        pytest.skip(f"no {path.name}: set PAPER_DATA to the folder that holds it")
    with open_source(cases=[str(path)]) as connection:
        text, facts = render(connection, None)
    page = Page(text)
    assert "2 or more 27 109 24.8% 17.6 to 33.6%" in page.sections["lead-time"]
    assert (facts.timeline[0]["of"], facts.timeline[0]["radiograph_days"]) == (89, -17)
    assert "20 persons without the dates" in " ".join(page.sections["timeline"].split())
    assert "made elsewhere" in page.sections["gallery"]
    assert "made elsewhere" in page.sections["index-test"]


def test_readings_as_the_reference_standard(tmp_path: Path):
    rows = rows_of_people(30)
    write_instances(str(tmp_path), rows)
    readings = [reading_of(row, "covid" if row["covid_positive"] else "normal", reader) for row in rows[:20] for reader in ("ann", "bo")]
    text, facts = render(connect(str(tmp_path), write_readings(tmp_path, *readings)), str(tmp_path))
    assert {(row["kind"], row["question"], row["n"]) for row in facts.agreement if row["question"] == "covid"} == {
        ("cascade", "covid", 20),
        ("reader", "covid", 20),
    }
    assert "ann and the cascade: COVID-19" in text
    assert "Wherever this report says RT-PCR positive, a reader saw COVID-19" in text
