"""The page in headless Chromium, against a real server: what a person does with it, and what axe-core finds of barriers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from screening.results.readings import list_readings, read_readings
from tests.archives import phantom_dicom
from tests.served import Served
from tests.stored_nights import StoredNight

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TO_READ = "0001-covid.dcm"  # the radiograph of the night that these tests read, and no others
ATTEMPT_MS = 20_000
DRAWN = "#canvas[aria-busy=false]"  # the radiograph and its maps, where there are any


@dataclass
class Visit:
    """A page, what its console said and which requests it made."""

    page: "Page"
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def level(self) -> float:
        """Return the mean brightness of what the canvas shows, 0 to 255."""
        self.page.wait_for_timeout(100)  # it is painted with the next frame
        return self.page.evaluate(
            "() => { const canvas = document.getElementById('canvas');"
            "const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});"
            "copy.drawImage(canvas, 0, 0); const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);"
            "let sum = 0; for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];"
            "return sum / (data.length / 4) / 3; }"
        )

    def slide(self, name: str, value: int) -> None:
        self.page.get_by_label(name, exact=True).fill(str(value))


def visit(browser: "Browser", served: Served, *, token: str = "all", width: int = 1280, theme: str = "light") -> Visit:
    """Return the page after a token was given."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    page.set_default_timeout(ATTEMPT_MS)
    made = Visit(page)
    page.on("console", lambda message: made.said.append(message.text))
    page.on("pageerror", lambda error: made.said.append(str(error)))
    page.on("request", lambda request: made.asked.append(request.url))
    page.goto(served.url)
    page.get_by_label("Token", exact=True).fill(served.tokens[token])
    page.get_by_role("button", name="Use this token").click()
    page.locator("#desk").wait_for()
    return made


def upload(made: Visit, name: str, content: bytes) -> None:
    """Choose a file and wait for its answer."""
    made.page.get_by_label("Choose files").set_input_files({"name": name, "mimeType": "application/dicom", "buffer": content})
    made.page.locator(f"#file-list button[aria-current]:has-text('{name}')").wait_for()
    made.page.locator(DRAWN).wait_for()


@pytest.fixture
def opened(browser: "Browser", served: Served) -> Iterator[Visit]:
    """A visit that made no noise and asked nobody else, which is checked at its end."""
    made = visit(browser, served)
    yield made
    assert made.said == []
    assert [url for url in made.asked if not url.startswith((served.url + "/", "data:", f"blob:{served.url}/"))] == []
    made.page.close()


def test_a_file_is_scored_and_looked_at(opened: Visit) -> None:
    page = opened.page
    upload(opened, "chest.dcm", phantom_dicom(5, "covid", 512))
    answer = page.locator("#answer")
    assert answer.locator(".verdict").inner_text() == "COVID-19 positive"
    assert "at or above the threshold 0.388" in answer.inner_text()
    assert "COVID-19 positive" in page.locator("#live").inner_text()
    assert "chest.dcm" in (page.locator("#canvas").get_attribute("aria-label") or "")
    brightness = opened.level()
    assert brightness > 20
    for name in ("Lung outline", "Pneumonia map", "COVID-19 map", "Guided activation"):
        opened.slide(name, 100)
        covered = opened.level()
        opened.slide(name, 0)
        assert opened.level() != pytest.approx(covered, abs=1e-4), name
    plain = opened.level()
    opened.slide("Level", 60)
    assert opened.level() > plain, "a lower level shows more white"


def test_the_radiograph_by_keyboard(opened: Visit) -> None:
    page = opened.page
    upload(opened, "chest.dcm", phantom_dicom(1, "normal", 512))
    canvas = page.locator("#canvas")
    canvas.focus()
    for key in ("+", "+", "ArrowLeft", "]", "."):
        page.keyboard.press(key)
    assert [page.locator(f"#{name}-said").inner_text() for name in ("zoom", "width", "level")] == ["2×", "272", "136"]
    page.keyboard.press("0")
    assert page.locator("#zoom-said").inner_text() == "1×"
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 80)
    page.mouse.up()
    assert [page.locator(f"#{name}-said").inner_text() for name in ("width", "level")] == ["296", "118"]


def test_a_file_that_is_refused_says_why(opened: Visit) -> None:
    upload(opened, "text.dcm", b"nothing of the kind")
    said = opened.page.locator("#answer").inner_text()
    assert "Not scored: not dicom" in said
    assert "Why:" in said
    assert "A refused image is not a negative one" in said


def test_a_blind_reader_records_a_reading_and_then_sees_the_scores(opened: Visit, stored_night: StoredNight) -> None:
    page = opened.page
    row = next(row for row in stored_night.rows if row["object_url"].endswith(TO_READ))
    page.get_by_role("button", name="Worklist").click()
    page.locator(f"#worklist-list button[data-id='{row['object_id']}']").click()
    page.get_by_text("Scores hidden", exact=True).wait_for()
    assert page.get_by_label("COVID-19 map").is_disabled()
    page.locator(DRAWN).wait_for()
    assert opened.level() > 20, "the radiograph itself is there"
    page.get_by_label("COVID-19 pneumonia").check()
    page.get_by_label("Comment").fill("seen in a browser")
    page.get_by_role("button", name="Save reading").click()
    page.locator("#answer .verdict.covid").wait_for()
    assert page.get_by_label("COVID-19 map").is_enabled()
    page.get_by_text("You read it as COVID-19 pneumonia").wait_for()
    assert "read: COVID-19" in page.locator(f"#worklist-list button[data-id='{row['object_id']}']").inner_text()
    recorded = [
        one for one in read_readings(list_readings(f"{stored_night.url}/readings")).to_pylist() if one["comment"] == "seen in a browser"
    ]
    assert [(one["reader"], one["finding"], one["object_id"], one["scores_hidden"]) for one in recorded] == [
        ("has-all", "covid", row["object_id"], True)
    ]


def test_the_worklist_of_one_site(browser: "Browser", served: Served) -> None:
    made = visit(browser, served, token="read")
    entries = made.page.locator("#worklist-list .entry-name")
    entries.first.wait_for()
    assert {"North", "South"} == set(entries.all_inner_texts())
    made.page.get_by_label("Site", exact=True).select_option("South")
    made.page.locator("#worklist-list .entry-name:text('North')").first.wait_for(state="detached")
    assert set(entries.all_inner_texts()) == {"South"}
    assert "COVID-19" in made.page.locator("#worklist-list .tag").first.inner_text()
    assert not made.page.locator("#files").is_visible(), "this token scores nothing"
    made.page.close()


def test_a_token_is_kept_in_the_tab_only(browser: "Browser", served: Served) -> None:
    made = visit(browser, served, token="score")
    made.page.reload()
    made.page.locator("#desk").wait_for()
    assert served.tokens["score"] not in made.page.content()
    assert made.page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 1]
    made.page.get_by_role("button", name="Forget token").click()
    assert made.page.evaluate("sessionStorage.length") == 0
    made.page.get_by_label("Token", exact=True).fill("scr_wrong")
    made.page.get_by_role("button", name="Use this token").click()
    made.page.get_by_text("This token is not in force").wait_for()
    made.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_nobody_is_shut_out(browser: "Browser", served: Served, tmp_path: Path, width: int, theme: str) -> None:
    """axe-core finds nothing serious or critical, nothing is wider than the window, and the notice is in view throughout."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-playwright-python: install the dev extras").Axe()
    made = visit(browser, served, width=width, theme=theme)
    page = made.page
    upload(made, "chest.dcm", phantom_dicom(5, "covid", 512))
    states = {"a file": axe.run(page).response["violations"]}
    page.get_by_role("button", name="Worklist").click()
    page.locator("#worklist-list button").first.click()
    page.get_by_text("Scores hidden", exact=True).wait_for()
    states["the worklist"] = axe.run(page).response["violations"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for place in (0, 10_000):
        page.evaluate(f"window.scrollTo(0, {place})")
        notice = page.locator(".research").bounding_box()
        assert notice is not None
        assert 0 <= notice["y"] <= 901 - notice["height"]
    page.get_by_role("button", name="Forget token").click()
    states["the entrance"] = axe.run(page).response["violations"]
    found = {
        state: [
            (one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations if one["impact"] in ("serious", "critical")
        ]
        for state, violations in states.items()
    }
    assert found == {state: [] for state in states}
    page.close()
