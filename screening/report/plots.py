"""The charts of the report, each from rows of the views and nothing else."""

from dataclasses import dataclass

from screening.page.charts import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    SOFT,
    VERMILION,
    Plot,
    Scale,
    bar,
    legend,
    marker,
    rule,
    svg,
    text,
    ticks,
    x_axis,
    y_axis,
)
from screening.page.markup import Markup, tag
from screening.page.wording import count, interval, share, shown_count
from screening.report.facts import QUESTIONS, ViewRow, ViewRows

SERIES = {  # colour, dash and shape of each question
    "covid": (BLUE, None, "circle"),
    "stage_3": (VERMILION, "7 4", "square"),
    "pneumonia": (GREEN, "2 3", "triangle"),
}
PERCENT = [0, 0.2, 0.4, 0.6, 0.8, 1]
PERCENT_LABELS = ["0", "20%", "40%", "60%", "80%", "100%"]
ROW = 24  # pixels of a row of a bar chart or a forest plot
SHOWN_VALUES = 15  # of one characteristic in a chart; its table has all


@dataclass(frozen=True)
class Curve:
    """One ROC curve: its question, its area (a row of the view `auroc`), its points and the point of the calls as they were made."""

    question: str
    auroc: ViewRow
    points: ViewRows
    as_run: ViewRow


def roc_chart(curves: list[Curve]) -> Markup:
    """Return ROC curves; where stage 2 held persons back, the way to the upper right corner is dotted."""
    plot = Plot(Scale(0, 1, 64, 464), Scale(0, 1, 430, 30))
    drawn = [
        *x_axis(plot, PERCENT, "1 − specificity", labels=PERCENT_LABELS),
        *y_axis(plot, PERCENT, "Sensitivity", labels=PERCENT_LABELS),
        plot.line([(0, 0), (1, 1)], GREY, dash="1 4", width=1),
    ]
    entries = []
    for curve in curves:
        colour, dash, shape = SERIES[curve.question]
        reached = [(1 - row["specificity"], row["sensitivity"]) for row in curve.points if row["threshold"] is not None]
        beyond = [(1 - row["specificity"], row["sensitivity"]) for row in curve.points if row["threshold"] is None]
        drawn.append(plot.line([(0, 0), *reached], colour, dash=dash))
        if beyond:
            drawn.append(plot.line([*reached[-1:], *beyond], colour, dash="1 4", width=1.6))
        x = curve.as_run["fp"] / (curve.as_run["tn"] + curve.as_run["fp"])
        y = curve.as_run["tp"] / (curve.as_run["tp"] + curve.as_run["fn"])
        drawn.append(plot.mark(shape, x, y, colour, size=6.5, title=f"as run: sensitivity {share(y)}, specificity {share(1 - x)}"))
        swatch = tag("g", rule(-9, 0, 9, 0, colour, width=2.2, dash=dash), marker(shape, 0, 0, colour))
        entries.append((swatch, f"{QUESTIONS[curve.question]}: {curve.auroc['auroc']:.3f}"))
    key = [text(500, 40, "Area under the curve", bold=True), *legend(516, 64, entries, step=26)]
    for number, words in enumerate(_ROC_NOTES):
        key.append(text(500, 64 + 26 * len(entries) + 12 + 20 * number, words, colour=SOFT))
    said = "; ".join(f"{words}" for _, words in entries)
    return svg("chart-roc", "ROC curves", f"Sensitivity against 1 minus specificity, by person. {said}.", 900, 480, *drawn, *key)


_ROC_NOTES = (
    "Markers: the operating points as run.",
    "Dotted: beyond the reach of stage 3, persons whom",
    "stage 2 held back, in its order.",
)


def threshold_chart(question: str, rows: ViewRows, operating_point: float | None) -> Markup:
    """Return sensitivity and specificity against the threshold, with their intervals as bands."""
    rows = [row for row in rows if row["threshold"] is not None]
    low, high = min(0, *(row["threshold"] for row in rows)), max(1, *(row["threshold"] for row in rows))
    plot = Plot(Scale(low, high, 64, 620), Scale(0, 1, 300, 30))
    drawn = [*x_axis(plot, ticks(low, high, 6), "Threshold"), *y_axis(plot, PERCENT, "Share", labels=PERCENT_LABELS)]
    key = []
    for name, colour, dash, shape in (("sensitivity", BLUE, None, "circle"), ("specificity", VERMILION, "7 4", "square")):
        upper = [f"{plot.x(row['threshold']):.1f},{plot.y(row[f'{name}_high']):.1f}" for row in rows]
        lower = [f"{plot.x(row['threshold']):.1f},{plot.y(row[f'{name}_low']):.1f}" for row in reversed(rows)]
        drawn.append(tag("polygon", points=" ".join(upper + lower), fill=colour, opacity=0.13))
        drawn.append(plot.line([(row["threshold"], row[name]) for row in rows], colour, dash=dash))
        sparse = rows[:: max(1, len(rows) // 6)]
        drawn += [plot.mark(shape, row["threshold"], row[name], colour, size=3.5) for row in sparse]
        swatch = tag("g", rule(-9, 0, 9, 0, colour, width=2.2, dash=dash), marker(shape, 0, 0, colour, size=3.5))
        key.append((swatch, f"{name.capitalize()}, 95% band"))
    if operating_point is not None:
        drawn.append(rule(plot.x(operating_point), 30, plot.x(operating_point), 300, BLACK, width=1.4, dash="4 3"))
        key.append((rule(-9, 0, 9, 0, BLACK, width=1.4, dash="4 3"), f"Threshold in use: {operating_point:.3f}"))
    title = f"Thresholds: {QUESTIONS[question]}"
    said = "Sensitivity falls and specificity rises with the threshold."
    return svg(f"chart-thresholds-{question}", title, said, 860, 350, *drawn, *legend(656, 60, key, step=26))


def calibration_chart(question: str, rows: ViewRows) -> Markup:
    """Return how often the reference standard was positive against the mean score of each tenth."""
    plot = Plot(Scale(0, 1, 64, 384), Scale(0, 1, 350, 30))
    colour, _, shape = SERIES[question]
    drawn = [
        *x_axis(plot, PERCENT, "Mean score of the bin"),
        *y_axis(plot, PERCENT, "Positive by the reference standard", labels=PERCENT_LABELS),
        plot.line([(0, 0), (1, 1)], GREY, dash="1 4", width=1.2),
    ]
    largest = max(row["n"] for row in rows)
    for row in rows:
        at = plot.x(row["predicted"])
        drawn.append(rule(at, plot.y(row["low"]), at, plot.y(row["high"]), colour, width=1.6))
        said = f"{row['k']} of {row['n']} positive at mean score {row['predicted']:.3f}"
        drawn.append(plot.mark(shape, row["predicted"], row["observed"], colour, size=3 + 4 * (row["n"] / largest) ** 0.5, title=said))
    title = f"Calibration: {QUESTIONS[question]}"
    said = f"Observed share against mean score in {len(rows)} bins; on the dotted diagonal the score is the probability."
    return svg(f"chart-calibration-{question}", title, said, 420, 400, *drawn)


def forest_chart(rows: ViewRows, overall: ViewRow) -> Markup:
    """Return sensitivity and specificity of each subgroup (rows of the view `subgroups`) beside those of everybody (dashed)."""
    left, width, gap = 220, 210, 130
    scales = {"sensitivity": Scale(0, 1, left, left + width), "specificity": Scale(0, 1, left + width + gap, left + 2 * width + gap)}
    drawn: list[Markup] = []
    y, subgroup = 46, None
    for row in rows:
        if row["subgroup"] != subgroup:
            subgroup = row["subgroup"]
            drawn.append(text(8, y + 12, subgroup.capitalize(), bold=True))
            y += 8 + ROW
        drawn.append(text(20, y + 4, _short(row["subgroup_value"], 26)))
        for name in _FOREST:
            drawn += _estimate(row, name, scales[name], y)
        y += ROW
    grid: list[Markup] = []
    for name, (colour, _) in _FOREST.items():
        scale = scales[name]
        grid += x_axis(Plot(scale, Scale(0, 1, y + 4, 40)), [0, 0.5, 1], "", labels=["0", "50%", "100%"])
        if overall[name] is not None:
            grid.append(rule(scale(overall[name]), 40, scale(overall[name]), y + 4, BLACK, width=1.2, dash="4 3"))
        title = f"{name.capitalize()} ({share(overall[name])})"
        grid.append(text((scale.start + scale.stop) / 2, 20, title, anchor="middle", bold=True, colour=colour))
    return svg("chart-subgroups", "Sensitivity and specificity by subgroup", _FOREST_SAYS, 900, y + 36, *grid, *drawn)


_FOREST = {"sensitivity": (BLUE, "circle"), "specificity": (VERMILION, "square")}
_FOREST_SAYS = "One row a subgroup: point estimates with 95% Wilson intervals; the dashed lines are the figures of everybody."


def _estimate(row: ViewRow, name: str, scale: Scale, y: float) -> list[Markup]:
    after, n = scale.stop + 12, row[f"{name}_n"]
    if not n:
        return [text(after, y + 4, "nobody" if n == 0 else "hidden", colour=SOFT, size=12)]
    colour, shape = _FOREST[name]
    said = f"{row['subgroup_value']}: {name} {share(row[name])}, 95% CI {interval(row[f'{name}_low'], row[f'{name}_high'])}"
    return [
        rule(scale(row[f"{name}_low"]), y, scale(row[f"{name}_high"]), y, colour, width=1.8),
        marker(shape, scale(row[name]), y, colour, size=4.5, title=said),
        text(after, y + 4, f"{share(row[name])} ({count(row[f'{name}_k'])}/{count(n)})", size=12),
    ]


def participants_chart(rows: ViewRows) -> Markup:
    """Return persons by characteristic as bars, from rows of the view `report_participants`; of each at most SHOWN_VALUES, the largest.

    The longest bar is the largest count that is shown: another scale would tell a count that is held back.
    """
    most = max((row["persons"] or 0 for row in rows), default=0) or 1
    scale = Scale(0, most, 220, 640)
    drawn: list[Markup] = []
    y = 16
    for characteristic in dict.fromkeys(row["characteristic"] for row in rows):
        drawn.append(text(8, y + 8, characteristic.capitalize(), bold=True))
        y += 4 + ROW
        own = [row for row in rows if row["characteristic"] == characteristic]
        drawn_rows = sorted(own, key=lambda row: -(row["persons"] or 0))[:SHOWN_VALUES]
        for row in (row for row in own if row in drawn_rows):
            persons = row["persons"] or 0
            drawn.append(text(20, y + 4, _short(row["category"], 28)))
            drawn.append(bar(220, y - 8, scale(persons) - 220, 16, BLUE))
            drawn.append(text(scale(persons) + 8, y + 4, shown_count(row["persons"])))
            y += ROW
        y += 6
    said = "Number of persons by age, sex, days since onset, view, site and vendor."
    return svg("chart-participants", "Participants", said, 820, y, rule(220, 8, 220, y - 8, GREY), *drawn)


def histogram(name: str, title: str, description: str, bins: list[tuple[float, int]], label: str, split: float | None = None) -> Markup:
    """Return bars, one a day; days at or above `split` are filled and those below are hollow, so that the two read without colour."""
    low, high = min(at for at, _ in bins), max(at for at, _ in bins)
    most = max(n for _, n in bins)
    plot = Plot(Scale(low - 0.7, high + 0.7, 64, 800), Scale(0, most * 1.08, 260, 30))
    days = [value for value in ticks(low, high, 14) if value == int(value)]
    drawn = [*y_axis(plot, [v for v in ticks(0, most, 5) if v == int(v)], "Number"), *x_axis(plot, days, label, grid=False)]
    width = 0.8 * (plot.x(1 + low) - plot.x(low))
    for at, n in bins:
        style = {"colour": BLUE} if split is None or at >= split else {"colour": PAPER, "stroke": ORANGE, "stroke_width": 2}
        top = plot.y(n)
        drawn.append(bar(plot.x(at) - width / 2, top, width, plot.y(0) - top, title=f"{at:g}: {n}", **style))
        if width > 16 and n:
            drawn.append(text(plot.x(at), top - 4, count(n), anchor="middle", size=11))
    return svg(name, title, description, 820, 310, *drawn)


def bars(name: str, title: str, description: str, rows: list[tuple[str, int, str]], colour: str = BLUE) -> Markup:
    """Return horizontal bars: a name, a number, and words behind the bar."""
    most = max(n for _, n, _ in rows) or 1
    scale = Scale(0, most, 240, 640)
    drawn = []
    for number, (label, n, words) in enumerate(rows):
        y = 16 + ROW * number
        drawn += [
            text(232, y + 4, _short(label, 30), anchor="end"),
            bar(240, y - 8, scale(n) - 240, 16, colour),
            text(scale(n) + 8, y + 4, words),
        ]
    return svg(name, title, description, 820, 16 + ROW * len(rows), rule(240, 2, 240, 6 + ROW * len(rows), GREY), *drawn)


def _short(words: str, at_most: int) -> str:
    return words if len(words) <= at_most else words[: at_most - 1] + "…"
