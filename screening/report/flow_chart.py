"""The flow of participants as STARD 2015 draws it (item 19): found, refused, judged, and what the reference standard says of the judged."""

from screening.page.charts import (
    BLACK,
    BLUE,
    GREY,
    PAPER,
    TINT,
    rule,
    svg,
    text,
)
from screening.page.markup import Markup, tag
from screening.page.wording import count, plural
from screening.report.facts import ViewRow, ViewRows

LINE = 19  # pixels between lines of a box
ANSWERS = {"pneumonia negative": "Stage 2 negative", "covid negative": "Stage 3 negative", "covid positive": "COVID-19 positive"}
BY_OTHERS = {"pneumonia negative": "Negative", "covid positive": "Positive"}  # another product's answers know no stages
VERDICTS = {
    "positive": "RT-PCR positive",
    "negative": "RT-PCR negative",
    "indeterminate": "RT-PCR indeterminate",
    "unverified": "no RT-PCR linked",
}


def flow_chart(flow: ViewRows, ends: ViewRows, *, made_elsewhere: bool = False) -> Markup:
    """Return the diagram from rows of the views `flow` and `report_ends`; answers made elsewhere have no stages."""
    staged = not made_elsewhere or any(row["answer"] == "covid negative" for row in ends)
    boxes = {(row["box"], row["reason"]): row for row in flow}
    drawn: list[Markup] = []
    y = 8.0
    for box, title, aside in (
        ("objects found", "Objects found in the archive", _refusals(flow)),
        ("scored", "Radiographs scored", _line("Second copies of an image", boxes[("second copies", None)])),
        ("radiographs that count", "Radiographs that count", None),
    ):
        below = y + max(82, LINE * len(aside or []) + 30)
        drawn += _box(250, y, 300, [title, _counts(boxes[(box, None)])], strong=True)
        if aside:
            middle = y + 28
            drawn += [rule(550, middle, 600, middle, GREY, width=1.4), *_box(600, y, 290, aside)]
        if box != "radiographs that count":
            drawn.append(_arrow(400, y + 56, 400, below))
            y = below
    return _with_ends(drawn, y + 56, boxes, ends, ANSWERS if staged else BY_OTHERS)


def _with_ends(
    drawn: list[Markup], y: float, boxes: dict[tuple[str, str | None], ViewRow], ends: ViewRows, answers: dict[str, str]
) -> Markup:
    """Add the answers, side by side, and below each what the reference standard says."""
    top, first = y + 40, 450 - 147.5 * (len(answers) - 1)
    middles = [first + 295 * column for column in range(len(answers))]
    drawn += [rule(first, y + 20, middles[-1], y + 20, GREY, width=1.4), rule(400, y, 400, y + 20, GREY, width=1.4)]
    audited = boxes[("audit sample", None)]["images"]
    for middle, (answer, title) in zip(middles, answers.items(), strict=True):
        of_answer = [row for row in ends if row["answer"] == answer]
        sent_on = f"{count(audited)} sent on to stage 3 as audit sample" if answer == "pneumonia negative" and audited else ""
        drawn.append(_arrow(middle, y + 20, middle, top))
        drawn += _box(middle - 135, top, 270, [title, _sum(of_answer), sent_on], strong=True)
        drawn.append(_arrow(middle, top + 76, middle, top + 104))
        drawn += _box(middle - 135, top + 104, 270, _verdicts(of_answer))
    said = "From objects found to radiographs judged; at the side what was refused; at the bottom each answer beside the RT-PCR result."
    return svg("chart-flow", "Flow of participants", said, 900, top + 104 + 24 + LINE * len(VERDICTS) + 8, *drawn)


def _sum(rows: ViewRows) -> str:
    images, patients = sum(row["images"] for row in rows), sum(row["patients"] for row in rows)
    return f"{plural(images, 'radiograph')} of {plural(patients, 'person')}"


def _verdicts(rows: ViewRows) -> list[str]:
    """Return one line a verdict of the reference standard."""
    verdicts = {row["verdict"]: row for row in rows}
    if None in verdicts or not rows:
        return ["no reference table" if rows else "none"]
    return [_line(words, verdicts.get(verdict))[0] for verdict, words in VERDICTS.items()]


def _refusals(flow: ViewRows) -> list[str]:
    lines = []
    for box in ("rejected", "failed"):
        lines += _line(box.capitalize(), next(row for row in flow if row["box"] == box and row["reason"] is None))
        lines += [f"   {row['reason'].replace('_', ' ')}: {count(row['images'])}" for row in flow if row["box"] == box and row["reason"]]
    return lines


def _line(words: str, row: ViewRow | None) -> list[str]:
    return [f"{words}: {count(row['images'] if row else 0)}" + (f" ({plural(row['patients'], 'person', 'persons')})" if row else "")]


def _counts(row: ViewRow) -> str:
    return f"{count(row['images'])} of {plural(row['patients'], 'person', 'persons')}"


def _box(x: float, y: float, width: float, lines: list[str], *, strong: bool = False) -> list[Markup]:
    height = 18 + LINE * len(lines)
    frame = {"fill": TINT if strong else PAPER, "stroke": BLUE if strong else GREY, "stroke_width": 1.4, "rx": 4}
    drawn = [tag("rect", x=float(x), y=float(y), width=float(width), height=float(height), **frame)]
    for number, line in enumerate(lines):
        indent = 14 if line.startswith(" ") else 0
        drawn.append(text(x + 14 + indent, y + 22 + LINE * number, line.strip(), bold=strong and number == 0))
    return drawn


def _arrow(x1: float, y1: float, x2: float, y2: float) -> Markup:
    head = tag(
        "path", d=f"M{x2 - 4:.1f} {y2 - 7:.1f}L{x2:.1f} {y2:.1f}L{x2 + 4:.1f} {y2 - 7:.1f}", fill="none", stroke=BLACK, stroke_width=1.4
    )
    return tag("g", rule(x1, y1, x2, y2, GREY, width=1.4), head)
