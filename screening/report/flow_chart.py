"""The flow of participants as STARD 2015 draws it (item 19): found, refused, judged, and what the reference standard says of the judged."""

from screening.report.charts import BLACK, GREY, rule, svg, text
from screening.report.facts import Row, Rows
from screening.report.markup import Markup, tag
from screening.report.wording import count, plural

LINE = 19  # pixels between lines of a box
ANSWERS = {"pneumonia negative": "Stage 2 negative", "covid negative": "Stage 3 negative", "covid positive": "COVID-19 positive"}
VERDICTS = {
    "positive": "RT-PCR positive",
    "negative": "RT-PCR negative",
    "indeterminate": "RT-PCR indeterminate",
    "unverified": "no RT-PCR linked",
}


def flow_chart(flow: Rows, ends: Rows) -> Markup:
    """Return the diagram from rows of the views `flow` and `report_ends`."""
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
    return _with_ends(drawn, y + 56, boxes, ends)


def _with_ends(drawn: list[Markup], y: float, boxes: dict[tuple[str, str | None], Row], ends: Rows) -> Markup:
    """Add the three answers of the cascade, and below each what the reference standard says."""
    top, width = y + 40, 270
    drawn.append(rule(155, y + 20, 745, y + 20, GREY, width=1.4))
    drawn.append(rule(400, y, 400, y + 20, GREY, width=1.4))
    audited = boxes[("audit sample", None)]["images"]
    for column, (answer, title) in enumerate(ANSWERS.items()):
        of_answer = [row for row in ends if row["answer"] == answer]
        images, patients = sum(row["images"] for row in of_answer), sum(row["patients"] for row in of_answer)
        left, middle = 20 + 295 * column, 155 + 295 * column
        drawn.append(_arrow(middle, y + 20, middle, top))
        words = [title, f"{plural(images, 'radiograph')} of {plural(patients, 'person')}"]
        sent_on = answer == "pneumonia negative" and audited
        words.append(f"{count(audited)} sent on to stage 3 as audit sample" if sent_on else "")
        drawn += _box(left, top, width, words, strong=True)
        drawn.append(_arrow(middle, top + 76, middle, top + 104))
        verdicts = {row["verdict"]: row for row in of_answer}
        if None in verdicts or not of_answer:
            lines = ["no reference table" if of_answer else "none"]
        else:
            lines = [_line(words, verdicts.get(verdict))[0] for verdict, words in VERDICTS.items()]
        drawn += _box(left, top + 104, width, lines)
    said = (
        "Boxes from objects found to radiographs judged; at the side what was refused; at the bottom each answer beside the RT-PCR result."
    )
    return svg("chart-flow", "Flow of participants", said, 900, top + 104 + 24 + LINE * len(VERDICTS) + 8, *drawn)


def _refusals(flow: Rows) -> list[str]:
    lines = []
    for box in ("rejected", "failed"):
        lines += _line(box.capitalize(), next(row for row in flow if row["box"] == box and row["reason"] is None))
        lines += [f"   {row['reason'].replace('_', ' ')}: {count(row['images'])}" for row in flow if row["box"] == box and row["reason"]]
    return lines


def _line(words: str, row: Row | None) -> list[str]:
    return [f"{words}: {count(row['images'] if row else 0)}" + (f" ({plural(row['patients'], 'person', 'persons')})" if row else "")]


def _counts(row: Row) -> str:
    return f"{count(row['images'])} of {plural(row['patients'], 'person', 'persons')}"


def _box(x: float, y: float, width: float, lines: list[str], *, strong: bool = False) -> list[Markup]:
    height = 18 + LINE * len(lines)
    frame = {"fill": "#eef4fa" if strong else "#ffffff", "stroke": "#0072b2" if strong else GREY, "stroke_width": 1.4, "rx": 4}
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
