"""The charts of the evaluation page, each from figures of `metrics.json` and nothing else."""

from typing import Any

from screening.metrics import wilson
from screening.page.charts import (
    BLUE,
    GREEN,
    GREY,
    SOFT,
    VERMILION,
    Plot,
    Scale,
    legend,
    marker,
    rule,
    svg,
    text,
    x_axis,
    y_axis,
)
from screening.page.markup import Markup, tag
from screening.page.wording import share
from train.evaluation.wording import STAGES

PERCENT = [0, 0.2, 0.4, 0.6, 0.8, 1]
PERCENT_LABELS = ["0", "20%", "40%", "60%", "80%", "100%"]
SERIES = {"pneumonia": (BLUE, None, "circle"), "covid": (VERMILION, "7 4", "square")}
WAYS = {"before": (VERMILION, "7 4", "square"), "after": (BLUE, None, "circle")}
ROW = 26


def roc_chart(name: str, stages: dict[str, Any]) -> Markup:
    """Return the ROC curves of stages 2 and 3, with a mark at each operating point."""
    plot = Plot(Scale(0, 1, 64, 404), Scale(0, 1, 370, 30))
    drawn = [
        *x_axis(plot, PERCENT, "1 − specificity", labels=PERCENT_LABELS),
        *y_axis(plot, PERCENT, "Sensitivity", labels=PERCENT_LABELS),
        plot.line([(0, 0), (1, 1)], GREY, dash="1 4", width=1),
    ]
    entries = []
    for stage, (colour, dash, shape) in SERIES.items():
        figures = stages[stage]
        if not figures["roc"]:
            continue
        x, y = 1 - figures["specificity"]["value"], figures["sensitivity"]["value"]
        said = f"operating point: sensitivity {share(y)}, specificity {share(1 - x)}"
        drawn += [plot.line(figures["roc"], colour, dash=dash), plot.mark(shape, x, y, colour, size=6.5, title=said)]
        swatch = tag("g", rule(-9, 0, 9, 0, colour, width=2.2, dash=dash), marker(shape, 0, 0, colour))
        entries.append((swatch, f"{STAGES[stage]}: {figures['auroc']['value']:.3f}"))
    key = [text(440, 40, "Area under the curve", bold=True), *legend(456, 64, entries, step=26)]
    key.append(text(440, 64 + 26 * len(entries) + 8, "Marks: the operating points of the bundle.", colour=SOFT))
    said = "; ".join(words for _, words in entries)
    return svg(f"roc-{name}", "ROC curves", f"Sensitivity against 1 minus specificity, by image. {said}.", 800, 420, *drawn, *key)


def calibration_chart(name: str, title: str, calibration: dict[str, Any]) -> Markup:
    """Return the observed share of positives against the mean value of each bin, before and after calibration, with Wilson intervals."""
    plot = Plot(Scale(0, 1, 64, 344), Scale(0, 1, 310, 30))
    drawn = [
        *x_axis(plot, PERCENT, "Mean score or probability of the bin"),
        *y_axis(plot, PERCENT, "Positive", labels=PERCENT_LABELS),
        plot.line([(0, 0), (1, 1)], GREY, dash="1 4", width=1.2),
    ]
    entries = []
    for way, (colour, _, shape) in WAYS.items():
        if calibration[way] is None:
            continue
        entries.append((marker(shape, 0, 0, colour), way))
        for row in calibration[way]["bins"]:
            at, (low, high) = plot.x(row["predicted"]), wilson(row["k"], row["n"])
            drawn.append(rule(at, plot.y(low), at, plot.y(high), colour, width=1.2))
            said = f"{way}: {row['k']} of {row['n']} positive at a mean of {row['predicted']:.3f}"
            drawn.append(plot.mark(shape, row["predicted"], row["k"] / row["n"], colour, size=4.5, title=said))
    said = "On the dotted diagonal the value is the share of positives."
    return svg(f"calibration-{name}", title, said, 400, 360, *drawn, *legend(80, 44, entries))


def dots_chart(name: str, title: str, description: str, rows: list[tuple[str, dict[str, Any]]], chance: float | None = None) -> Markup:
    """Return estimates in [0, 1] with their intervals, one a row, and a dashed line at `chance`."""
    scale, bottom = Scale(0, 1, 300, 640), 20 + ROW * len(rows)
    drawn = x_axis(Plot(scale, Scale(0, 1, bottom, 8)), PERCENT, "")
    if chance is not None:
        drawn.append(rule(scale(chance), 8, scale(chance), bottom, GREY, width=1.4, dash="4 3"))
    for number, (words, found) in enumerate(rows):
        y = 20 + ROW * number
        drawn.append(text(290, y + 4, words, anchor="end"))
        if found["value"] is None:
            drawn.append(text(650, y + 4, "–"))
            continue
        if found["low"] is not None:
            drawn.append(rule(scale(found["low"]), y, scale(found["high"]), y, GREEN, width=1.8))
        drawn += [marker("circle", scale(found["value"]), y, GREEN, size=4.5), text(650, y + 4, f"{found['value']:.3f}")]
    return svg(name, title, description, 720, bottom + 30, *drawn)
