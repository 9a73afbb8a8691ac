"""The timeline: one line a person from symptom onset over the radiograph to RT-PCR confirmation, after the fourth figure of the paper."""

from screening.page.charts import BLACK, BLUE, GREY, ORANGE, Plot, Scale, legend, marker, rule, svg, ticks, x_axis
from screening.page.markup import Markup, tag
from screening.page.wording import count
from screening.report.facts import ViewRow, ViewRows

EARLIEST, LATEST = -30, 15  # days from confirmation; marks beyond lie on the edge as hollow ticks
ROW = 9  # pixels of a person


def timeline_chart(rows: ViewRows) -> Markup:
    """Return the chart from rows of the view `report_timeline`; day 0 is the confirmation."""
    days = [row[name] for row in rows for name in ("onset_days", "radiograph_days") if row[name] is not None]
    low, high = max(EARLIEST, min([-5, *days]) - 1), min(LATEST, max([2, *days]) + 1)
    bottom = 76 + ROW * len(rows)
    plot = Plot(Scale(low, high, 40, 860), Scale(0, len(rows), 76, bottom))
    values = [value for value in ticks(low, high, 12) if value == int(value)]
    drawn = x_axis(plot, values, "Days from RT-PCR confirmation (day 0)")
    drawn.append(rule(plot.x(0), 66, plot.x(0), bottom, BLACK, width=1.4))
    for number, row in enumerate(rows):
        drawn += _person(row, plot, 76 + ROW * (number + 0.5))
    key = [
        (marker("diamond", 0, 0, ORANGE, size=4), "symptom onset"),
        (marker("circle", 0, 0, BLUE, size=4.5), "first positive radiograph"),
        (marker("circle", 0, 0, GREY, size=4.5, hollow=True), "first radiograph of a person missed"),
        (marker("square", 0, 0, BLACK, size=4), "RT-PCR confirmation"),
    ]
    placed = [part for left, entry in zip((56, 200, 400, 670), key, strict=True) for part in legend(left, 20, [entry])]
    said = f"{count(len(rows))} persons, those detected earliest on top; a radiograph left of day 0 came before the confirmation."
    return svg("chart-timeline", "From symptom onset to confirmation", said, 900, bottom + 50, *placed, *drawn)


def _person(row: ViewRow, plot: Plot, y: float) -> list[Markup]:
    days = [row[name] for name in ("onset_days", "radiograph_days") if row[name] is not None]
    drawn = [rule(plot.x(min([0, *days])), y, plot.x(max([0, *days])), y, GREY, width=1.4)]
    drawn.append(marker("square", plot.x(0), y, BLACK, size=2.6))
    for name, shape, colour in (("onset_days", "diamond", ORANGE), ("radiograph_days", "circle", BLUE if row["detected"] else GREY)):
        if row[name] is None:
            continue
        outside = not plot.x.low <= row[name] <= plot.x.high
        hollow = outside or (name == "radiograph_days" and not row["detected"])
        words = f"{'onset' if name == 'onset_days' else 'radiograph'} on day {row[name]}"
        drawn.append(marker("tick" if outside else shape, plot.x(row[name]), y, colour, size=3.2, hollow=hollow, title=words))
    return [tag("g", *drawn)]
