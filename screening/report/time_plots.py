"""Curves over days, each with its 95 % band: lead time as a survival curve, and sensitivity by days since onset."""

from collections.abc import Iterable

from screening.page.charts import BLUE, VERMILION, Plot, Scale, legend, marker, rule, svg, ticks, x_axis, y_axis
from screening.page.markup import Markup, tag
from screening.report.facts import ViewRow, ViewRows

PERCENT = [0, 0.2, 0.4, 0.6, 0.8, 1]
PERCENT_LABELS = ["0", "20%", "40%", "60%", "80%", "100%"]
POPULATIONS = {"confirmed": (BLUE, None, "circle", "all confirmed persons"), "found": (VERMILION, "7 4", "square", "those who were found")}


def lead_chart(rows: ViewRows) -> Markup:
    """Return the steps of lead time, from rows of `analytics.time_curves.lead_curve`."""
    plot = _field(max(row["days"] for row in rows), 0)
    drawn = _axes(plot, "Days from first positive radiograph to confirmation", "Share with a lead time of at least so many days")
    key = []
    for population, (colour, dash, shape, words) in POPULATIONS.items():
        own = [row for row in rows if row["population"] == population]
        drawn += [_band(plot, _steps(own, "low"), _steps(own, "high"), colour), plot.line(_steps(own, "share"), colour, dash=dash)]
        drawn += [plot.mark(shape, row["days"], row["share"], colour, size=3.5) for row in own[:: max(1, len(own) // 6)]]
        key.append((tag("g", rule(-9, 0, 9, 0, colour, width=2.2, dash=dash), marker(shape, 0, 0, colour, size=3.5)), words))
    said = "The share of persons with a lead time of at least so many days falls with the days; bands are 95% intervals."
    return svg("chart-lead-survival", "Lead time as a survival curve", said, 860, 350, *drawn, *legend(656, 60, key, step=26))


def onset_chart(rows: ViewRows) -> Markup:
    """Return sensitivity by days since onset, from rows of `analytics.time_curves.onset_curve`."""
    plot = _field(rows[-1]["days"], rows[0]["days"])
    points = {name: [(row["days"], row[name]) for row in rows] for name in ("share", "low", "high")}
    drawn = _axes(plot, "Days from symptom onset to radiograph", "Sensitivity of a radiograph")
    drawn += [_band(plot, points["low"], points["high"], BLUE), plot.line(points["share"], BLUE)]
    said = "Sensitivity of one radiograph against the days since symptom onset, with its pointwise 95% band."
    return svg("chart-onset-curve", "Sensitivity by days since onset", said, 860, 350, *drawn)


def _field(last: float, first: float) -> Plot:
    return Plot(Scale(first, max(last, first + 1), 64, 620), Scale(0, 1, 300, 30))


def _axes(plot: Plot, across: str, up: str) -> list[Markup]:
    days = [value for value in ticks(plot.x.low, plot.x.high, 8) if value == int(value)]
    return [*x_axis(plot, days, across), *y_axis(plot, PERCENT, up, labels=PERCENT_LABELS)]


def _steps(rows: ViewRows, name: str) -> list[tuple[float, float]]:
    """Return the corners of a step curve: the share of at least d days holds from above d - 1 to d."""
    points: list[tuple[float, float]] = []
    for row in rows:
        height = _height(row, name)
        points += [(max(row["days"] - 1, 0), height), (row["days"], height)]
    return points


def _height(row: ViewRow, name: str) -> float:
    return row["share"] if row[name] is None else row[name]


def _band(plot: Plot, low: Iterable[tuple[float, float]], high: Iterable[tuple[float, float]], colour: str) -> Markup:
    edge = [*low, *reversed([*high])]
    return tag("polygon", points=" ".join(f"{plot.x(x):.1f},{plot.y(y):.1f}" for x, y in edge), fill=colour, opacity=0.13)
