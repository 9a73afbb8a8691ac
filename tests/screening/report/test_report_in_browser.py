"""The report in headless Chromium: every chart is there to see, no script error, and no request but for the file itself."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from screening.analytics.views import connect
from screening.report.write import render
from tests.screening.instance_rows import write_instances
from tests.screening.report.screened import CHARTS, HOSTILE, reference_of_people, rows_of_people, write_pictures

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of people of hostile institutions, one of them with pictures."""
    folder = tmp_path_factory.mktemp("screened")
    rows = [row | {"InstitutionName": f"{HOSTILE} {row['InstitutionName']}"} for row in rows_of_people()]
    write_pictures(folder, rows[0])
    write_instances(str(folder / "results"), rows)
    text, _ = render(connect(str(folder / "results"), reference_of_people()), str(folder / "results"))
    (folder / "report.html").write_text(text)
    return folder / "report.html"


@pytest.fixture(scope="module")
def opened(browser: "Browser", report: Path) -> tuple["Page", list[str], list[str]]:
    """The page, what its console said, and the URLs that it asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    return page, said, asked


def test_no_error_and_no_request(opened: tuple["Page", list[str], list[str]], report: Path):
    _, said, asked = opened
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def test_every_chart_is_visible(opened: tuple["Page", list[str], list[str]]):
    page, _, _ = opened
    for name in CHARTS:
        chart = page.locator(f"#chart-{name}")
        assert chart.is_visible(), name
        box = chart.bounding_box()
        assert box is not None
        assert box["width"] > 250, name
        assert box["height"] > 50, name
        outside = chart.evaluate(
            "svg => [...svg.querySelectorAll('text')].map(text => [text, text.getBBox()]).filter(([, box]) => box.x < -1 || box.y < -1 "
            "|| box.x + box.width > svg.viewBox.baseVal.width + 1 || box.y + box.height > svg.viewBox.baseVal.height + 1)"
            ".map(([text]) => text.textContent)"
        )
        assert outside == [], f"{name}: words outside of the chart"


def test_the_numbers_unfold_and_pictures_are_shown(opened: tuple["Page", list[str], list[str]]):
    page, _, _ = opened
    details = page.locator("#roc details")
    assert not details.locator("table").first.is_visible()
    details.locator("summary").click()
    assert details.locator("table").first.is_visible()
    sizes = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert sizes
    assert set(sizes) == {256}


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(opened: tuple["Page", list[str], list[str]], width: int):
    page, _, _ = opened
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_unfolds_the_numbers(opened: tuple["Page", list[str], list[str]]):
    page, _, _ = opened
    page.emulate_media(media="print")
    assert page.locator("#roc details table").first.is_visible()
    assert not page.locator("nav").is_visible()
    assert len(page.pdf()) > 100_000
    page.emulate_media(media="screen")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_nobody_is_shut_out(browser: "Browser", report: Path, width: int, theme: str):
    """axe-core finds nothing serious, words in charts can be read on a phone, and the page has the colours of its theme."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-playwright-python: install the dev extras").Axe()
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
    page.goto(report.as_uri())
    for details in page.locator("details").all():
        details.evaluate("details => details.open = true")
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in violations] == []
    heights = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].filter(text => text.textContent.trim())"
        ".map(text => [text.getBoundingClientRect().height, text.textContent])"
    )
    assert min(heights)[0] > 10, min(heights)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 31)"}[theme]
    page.close()
