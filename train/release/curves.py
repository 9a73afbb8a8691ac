"""A picture of a training: the losses and the tuning figure of each stage by epoch, as an SVG file that needs no page around it."""

from collections.abc import Mapping, Sequence
from typing import Any

from screening.page.charts import BLUE, GREEN, GREY, VERMILION, Plot, Scale, legend, marker, rule, svg, ticks, x_axis, y_axis
from screening.page.markup import Markup, tag

Curve = Sequence[Mapping[str, Any]]  # epoch lines of one stage, as train.loop.worker reports them
CURVES_FILE = "curves.svg"
_SERIES = {  # column: words, colour, dash, shape
    "train_loss": ("training", BLUE, None, "circle"),
    "tuning_loss": ("tuning", VERMILION, "7 4", "square"),
    "tuning_distillation": ("tuning, distillation", GREEN, "2 3", "triangle"),
}
_FIGURES = {"tuning_dice": "Dice", "tuning_auroc": "AUROC"}
_PANEL, _WIDTH, _MARKS = 300, 880, 12  # pixels of a stage's height and of the picture; at most so many markers a line


def curves_svg(curves: Mapping[str, Curve]) -> str:
    """Return the picture, one row a stage: losses on the left, the figure of the tuning split on the right, best epoch marked."""
    rows = [tag("g", _row(stage, curve), transform=f"translate(0 {_PANEL * i})") for i, (stage, curve) in enumerate(curves.items())]
    height = _PANEL * len(curves)
    picture = svg("curves", "Training", "; ".join(_said(stage, curve) for stage, curve in curves.items()), _WIDTH, height, *rows)
    background = tag("rect", width="100%", height="100%", fill="#ffffff")
    own = {"xmlns": "http://www.w3.org/2000/svg", "font_family": "sans-serif"}
    return tag("svg", background, picture, viewBox=f"0 0 {_WIDTH} {height}", width=_WIDTH, height=height, **own)


def _row(stage: str, curve: Curve) -> list[Markup]:
    best = _best(curve)["epoch"]
    losses = [name for name in _SERIES if any(line.get(name) is not None for line in curve)]
    highest = max(line[name] for line in curve for name in losses if line.get(name) is not None)
    left = Plot(_epochs(curve, 64, 360), Scale(0, 1.05 * highest or 1, 236, 40))
    drawn = [*x_axis(left, _epoch_ticks(curve), "Epoch"), *y_axis(left, ticks(0, 1.05 * highest, 5), f"{stage.capitalize()}: loss")]
    for name in losses:
        drawn += _line(left, curve, name, *_SERIES[name][1:])
    key = [(_swatch(*_SERIES[name][1:]), _SERIES[name][0]) for name in losses]
    drawn += [rule(left.x(best), 40, left.x(best), 236, GREY, dash="4 3"), *legend(388, 60, key)]
    figure = next((name for name in _FIGURES if any(line.get(name) is not None for line in curve)), None)
    if figure is not None:
        drawn += _figure(curve, figure, best)
    return drawn


def _figure(curve: Curve, name: str, best: int) -> list[Markup]:
    lowest = min(0.9, *(line[name] for line in curve if line.get(name) is not None))
    plot = Plot(_epochs(curve, 568, 860), Scale(lowest - 0.02, 1, 236, 40))
    return [
        *x_axis(plot, _epoch_ticks(curve), "Epoch"),
        *y_axis(plot, ticks(lowest, 1, 5), f"{_FIGURES[name]}, tuning split"),
        *_line(plot, curve, name, *_SERIES["tuning_loss"][1:]),
        rule(plot.x(best), 40, plot.x(best), 236, GREY, dash="4 3"),
    ]


def _line(plot: Plot, curve: Curve, name: str, colour: str, dash: str | None, shape: str) -> list[Markup]:
    points = [(line["epoch"], line[name]) for line in curve if line.get(name) is not None]
    marked = points[:: -(-len(points) // _MARKS)]
    words = name.replace("_", " ")
    marks = [plot.mark(shape, x, y, colour, size=3.5, title=f"{words}, epoch {x}: {y:.4f}") for x, y in marked]
    return [plot.line(points, colour, dash=dash), *marks]


def _swatch(colour: str, dash: str | None, shape: str) -> Markup:
    return tag("g", rule(-9, 0, 9, 0, colour, width=2.2, dash=dash), marker(shape, 0, 0, colour, size=3.5))


def _epoch_ticks(curve: Curve) -> list[float]:
    return [value for value in ticks(1, len(curve), 6) if value == int(value)] or [1]


def _epochs(curve: Curve, start: float, stop: float) -> Scale:
    return Scale(1, max(2, len(curve)), start, stop)


def _best(curve: Curve) -> Mapping[str, Any]:
    return min(curve, key=lambda line: line["tuning_loss"])


def _said(stage: str, curve: Curve) -> str:
    best = _best(curve)
    return f"{stage}: {len(curve)} epochs, least tuning loss {best['tuning_loss']:.3f} at epoch {best['epoch']}"
