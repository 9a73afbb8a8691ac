"""Shapes and scales of the charts, and the escaping of what is written into them."""

import xml.etree.ElementTree as ElementTree

import pytest

from screening.page.charts import Plot, Scale, legend, marker, svg, text, ticks, x_axis, y_axis
from screening.page.markup import Markup, figure, table, tag, together


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
    root = ElementTree.fromstring(svg("chart-x", "A < B", "say 'x'", 300, 240, *drawn, *shapes, text(1, 2, "<i>")))
    assert root.find("title").text == "A < B"
    assert root.attrib["aria-labelledby"] == "chart-x-title chart-x-desc"
    assert not [element for element in root.iter() if element.tag in ("b", "i")]


def test_everything_but_markup_is_escaped():
    assert tag("p", "<b>", Markup("<i>x</i>"), None, 3) == "<p>&lt;b&gt;<i>x</i>3</p>"
    assert tag("a", "x", href='"><script>') == '<a href="&#34;&gt;&lt;script&gt;">x</a>'
    assert tag("a", href=Markup('"><b>')) == '<a href="&#34;&gt;&lt;b&gt;"></a>', "an attribute is text, whatever it was"
    assert tag("rect", x=0.0, y=1.239, hidden=None, rx=0) == '<rect x="0" y="1.24" rx="0"></rect>'
    assert together(["<", ["&", Markup("<br>")]]) == "&lt;&amp;<br>"
    assert tag("b") + "<" == "<b></b>&lt;", "also what is added later"


def test_tables_have_heads_for_rows_and_columns():
    markup = table(["name", "n"], [("<a>", 1)], caption="c")
    assert '<th scope="col" class="number">n</th>' in markup
    assert '<th scope="row" class="text">&lt;a&gt;</th><td class="number">1</td>' in markup
    assert figure(Markup("<svg></svg>"), "c", markup).count("<summary>") == 1
