"""Shapes and scales of the charts."""

import xml.etree.ElementTree as ElementTree

import pytest

from screening.page.charts import BLUE, PAPER, Plot, Scale, bar, legend, marker, svg, text, ticks, x_axis, y_axis


def test_a_scale_keeps_values_inside():
    scale = Scale(-10, 10, 100, 300)
    assert [scale(value) for value in (-10, 0, 10, -99, 99)] == [100, 200, 300, 100, 300]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-12, 7, [-10, -5, 0, 5]), (0, 41, [0, 10, 20, 30, 40]), (0, 0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]):
    assert ticks(low, high, 5 if high != 0.5 else 6) == pytest.approx(expected)


def test_charts_are_xml_with_a_title():
    plot = Plot(Scale(0, 1, 50, 250), Scale(0, 1, 200, 20))
    shapes = [marker(shape, 10, 10, "#000000") for shape in ("circle", "square", "triangle", "diamond", "cross", "tick")]
    drawn = [
        *x_axis(plot, [0, 1], "x & y"),
        *y_axis(plot, [0, 1], "<b>"),
        plot.line([(0, 0), (1, 1)], "#000000"),
        *legend(0, 0, [(shapes[0], "a")]),
    ]
    frame = ElementTree.fromstring(svg("chart-x", "A < B", "say 'x'", 300, 240, *drawn, *shapes, text(1, 2, "<i>")))
    assert (frame.attrib["tabindex"], frame.attrib["aria-label"]) == ("0", "A < B"), "a wide chart scrolls, also by keyboard"
    [root] = frame
    assert root.find("title").text == "A < B"
    assert root.attrib["aria-labelledby"] == "chart-x-title chart-x-desc"
    assert not [element for element in root.iter() if element.tag in ("b", "i")]


def shape(markup: object) -> dict[str, str]:
    """Return the element and its attributes."""
    element = ElementTree.fromstring(str(markup))
    return {"element": element.tag, **element.attrib}


def test_a_line_runs_through_the_places_of_its_points():
    plot = Plot(Scale(0, 10, 0, 100), Scale(0, 1, 50, 0))
    drawn = shape(plot.line([(0, 0), (5, 0.5), (10, 1)], BLUE, dash="4 3"))
    assert (drawn["points"], drawn["stroke"], drawn["stroke-dasharray"]) == ("0.0,50.0 50.0,25.0 100.0,0.0", BLUE, "4 3")


def test_a_mark_stands_at_its_value_and_says_what_it_is():
    plot = Plot(Scale(0, 10, 0, 100), Scale(0, 1, 50, 0))
    mark = plot.mark("circle", 5, 0.5, BLUE, hollow=True, title="a < b")
    drawn = shape(mark)
    assert (drawn["cx"], drawn["cy"], drawn["fill"], drawn["stroke"]) == ("50", "25", PAPER, BLUE)
    assert ElementTree.fromstring(str(mark)).find("title").text == "a < b"


def test_bars_have_no_width_below_nothing():
    assert shape(bar(1, 2, -3, 4, BLUE)) == {"element": "rect", "x": "1", "y": "2", "width": "0", "height": "4", "fill": BLUE}


def test_entries_of_a_legend_stand_one_under_the_other():
    entries = legend(10, 20, [(marker("square", 0, 0, BLUE), "a"), (marker("tick", 0, 0, BLUE), "b")], step=15)
    assert [shape(entry).get("transform") or shape(entry)["y"] for entry in entries] == [
        "translate(10 20)",
        "24",
        "translate(10 35)",
        "39",
    ]
