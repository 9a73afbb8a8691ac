"""Charts as inline SVG, from a few shapes. Colours are those of Okabe and Ito, and every series has its own shape or dash too,
so that a chart can be read by the colour-blind and in black and white.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from screening.page.markup import Child, Markup, scrolling, tag

BLUE, VERMILION, GREEN, ORANGE, PURPLE = "var(--blue)", "#d55e00", "#009e73", "#e69f00", "#cc79a7"
GREY, BLACK, SOFT, GRID, PAPER, TINT = (f"var(--{name})" for name in ("axis", "ink", "soft", "line", "paper", "tint"))  # page.css, by theme
TEXT = 13  # pixels
WIDE = 480  # pixels: a wider chart is not shrunk to the width of a phone, but scrolls


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` drawn between two pixel positions."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the position of a value; values outside lie on the edge."""
        inside = min(max(value, self.low), self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.stop - self.start)


@dataclass(frozen=True)
class Plot:
    """The field between two axes."""

    x: Scale
    y: Scale

    def line(self, points: Iterable[tuple[float, float]], colour: str, *, dash: str | None = None, width: float = 2.2) -> Markup:
        """Return a line through points in units of the axes."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return tag("polyline", points=path, fill="none", stroke=colour, stroke_width=width, stroke_dasharray=dash, stroke_linejoin="round")

    def mark(
        self, shape: str, x: float, y: float, colour: str, *, size: float = 5, hollow: bool = False, title: str | None = None
    ) -> Markup:
        """Return a marker at a point in units of the axes."""
        return marker(shape, self.x(x), self.y(y), colour, size=size, hollow=hollow, title=title)


def svg(name: str, title: str, description: str, width: float, height: float, *children: Child) -> Markup:
    """Return a chart with what a screen reader says of it. `name` is its id in the page."""
    chart = tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *children,
        id=name,
        role="img",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        class_="chart wide" if width > WIDE else "chart",
        aria_labelledby=f"{name}-title {name}-desc",
    )
    return scrolling(chart, title, kind="drawn")


def text(x: float, y: float, words: Child, *, anchor: str = "start", bold: bool = False, colour: str = BLACK, size: float = TEXT) -> Markup:
    """Return words with their baseline at y."""
    weight = 600 if bold else None
    return tag("text", words, x=float(x), y=float(y), text_anchor=anchor, font_weight=weight, fill=colour, font_size=size)


def rule(x1: float, y1: float, x2: float, y2: float, colour: str = GRID, *, width: float = 1, dash: str | None = None) -> Markup:
    """Return a straight line in pixels."""
    ends = {"x1": float(x1), "y1": float(y1), "x2": float(x2), "y2": float(y2)}
    return tag("line", **ends, stroke=colour, stroke_width=width, stroke_dasharray=dash)


def bar(x: float, y: float, width: float, height: float, colour: str, *, title: str | None = None, **attributes: object) -> Markup:
    """Return a rectangle in pixels."""
    corner = {"x": float(x), "y": float(y), "width": float(max(0.0, width)), "height": float(max(0.0, height))}
    return tag("rect", _hover(title), **corner, fill=colour, **attributes)


def marker(shape: str, x: float, y: float, colour: str, *, size: float = 5, hollow: bool = False, title: str | None = None) -> Markup:
    """Return a circle, square, triangle, diamond, cross or tick around a point in pixels."""
    style = {"fill": PAPER if hollow else colour, "stroke": colour, "stroke_width": 1.6}
    if shape == "circle":
        return tag("circle", _hover(title), cx=float(x), cy=float(y), r=float(size), **style)
    if shape == "cross":
        path = f"M{x - size:.1f} {y - size:.1f}L{x + size:.1f} {y + size:.1f}M{x - size:.1f} {y + size:.1f}L{x + size:.1f} {y - size:.1f}"
        return tag("path", _hover(title), d=path, fill="none", stroke=colour, stroke_width=2.2)
    corners = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
        "triangle": ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
        "tick": ((-0.25, -1.2), (0.25, -1.2), (0.25, 1.2), (-0.25, 1.2)),
    }[shape]
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners)
    return tag("polygon", _hover(title), points=points, **style)


def ticks(low: float, high: float, at_most: int = 8) -> list[float]:
    """Return round values from `low` to `high`, steps of 1, 2 or 5 times a power of ten."""
    raw = max((high - low) / at_most, 1e-9)
    power = 10 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    return [number * step for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def x_axis(plot: Plot, values: Sequence[float], label: str, *, labels: Sequence[str] | None = None, grid: bool = True) -> list[Markup]:
    """Return the axis below the plot, with a label and grid lines."""
    top, bottom = min(plot.y.start, plot.y.stop), max(plot.y.start, plot.y.stop)
    drawn = []
    for value, name in zip(values, labels or [f"{value:g}" for value in values], strict=True):
        drawn += [
            rule(plot.x(value), top if grid else bottom, plot.x(value), bottom + 4),
            text(plot.x(value), bottom + 18, name, anchor="middle"),
        ]
    middle = (plot.x.start + plot.x.stop) / 2
    return [*drawn, rule(plot.x.start, bottom, plot.x.stop, bottom, GREY), text(middle, bottom + 38, label, anchor="middle")]


def y_axis(plot: Plot, values: Sequence[float], label: str, *, labels: Sequence[str] | None = None) -> list[Markup]:
    """Return the axis left of the plot, its label above it."""
    drawn = []
    for value, name in zip(values, labels or [f"{value:g}" for value in values], strict=True):
        drawn += [
            rule(plot.x.start - 4, plot.y(value), plot.x.stop, plot.y(value)),
            text(plot.x.start - 8, plot.y(value) + 4, name, anchor="end"),
        ]
    top = min(plot.y.start, plot.y.stop)
    return [*drawn, rule(plot.x.start, plot.y.start, plot.x.start, plot.y.stop, GREY), text(plot.x.start - 40, top - 12, label)]


def legend(x: float, y: float, entries: Iterable[tuple[Markup, str]], *, step: float = 20) -> list[Markup]:
    """Return words with the shapes they explain, one under the other; a shape is drawn around (0, 0)."""
    drawn = []
    for number, (shape, words) in enumerate(entries):
        drawn += [tag("g", shape, transform=f"translate({x:g} {y + step * number:g})"), text(x + 16, y + step * number + 4, words)]
    return drawn


def _hover(title: str | None) -> Markup | None:
    return None if title is None else tag("title", title)
