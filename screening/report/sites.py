"""What was found, by site: the mean of the sites, what to expect of a further one, and each site's calibration."""

from screening.page.charts import BLUE, SOFT, VERMILION, Plot, Scale, marker, rule, svg, text, x_axis
from screening.page.markup import Markup, figure, paragraphs, table, together
from screening.page.section import PERSON_UNIT, Section, empty
from screening.page.wording import HIDDEN, NOTHING, count, interval, plural, share
from screening.report.facts import QUESTIONS, Facts, ViewRow, ViewRows, why_nothing

ROW = 24  # pixels
STYLE = {"sensitivity": (BLUE, "circle"), "specificity": (VERMILION, "square")}
MOST = 40  # sites drawn


def sites(facts: Facts) -> Section:
    """Return the section."""
    return Section("sites", "Sites", "24", _sites(facts))


def _sites(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    means = [row for row in facts.site_means if row["places"] > 1]
    if not means:
        return empty("Empty, because fewer than two sites have persons enough to be shown.")
    own = [row for row in facts.subgroups if row["subgroup"] == "site" and row["subgroup_value"] != "unknown"]
    rows = [
        (
            row["measure"],
            count(row["places"]),
            count(row["hidden"]),
            f"{share(row['mean'])} ({interval(row['low'], row['high'])})",
            interval(row["prediction_low"], row["prediction_high"]),
            f"{row['tau']:.2f}",
            share(row["i_squared"]),
        )
        for row in means
    ]
    head = ["", "sites", "held back", "mean of the sites (95% CI)", "95% prediction interval", "τ, logits", "I²"]
    pooled = table(head, rows, caption=f"Random effects over sites: {QUESTIONS['covid']}, by person")
    caption = (
        f"{QUESTIONS['covid']}. {PERSON_UNIT} Mean: the mean of all sites, each of which counts by its size and by how much sites differ. "
        "A further site: where 95% of sites like these would lie; it needs three. Random effects on the logits, τ² by REML, the mean's "
        "interval by Hartung and Knapp, the prediction interval by Higgins, Thompson and Spiegelhalter (2009). "
        f"{_left_out(own)}"
    )
    return together([figure(_chart(own, means), caption, pooled), _calibration(facts)])


def _left_out(own: ViewRows) -> str:
    hidden = sum(row["sensitivity_n"] is None or row["specificity_n"] is None for row in own)
    held = f"{plural(hidden, 'site is', 'sites are')} held back in part and {'takes' if hidden == 1 else 'take'} no part there. "
    return (held if hidden else "") + (f"The first {MOST} of {len(own)} sites are drawn." if len(own) > MOST else "")


def _chart(own: ViewRows, means: ViewRows) -> Markup:
    """Return a row for each site, then the mean of the sites, and what to expect of a further one."""
    left, width, gap = 170, 200, 160
    scales = {"sensitivity": Scale(0, 1, left, left + width), "specificity": Scale(0, 1, left + width + gap, left + 2 * width + gap)}
    drawn: list[Markup] = []
    y = 46
    for row in own[:MOST]:
        drawn.append(text(8, y + 4, row["subgroup_value"][:22]))
        for name, scale in scales.items():
            drawn += _line(
                name, scale, y, row[name], row[f"{name}_low"], row[f"{name}_high"], HIDDEN if row[f"{name}_n"] is None else "nobody"
            )
        y += ROW
    y += ROW // 2
    for words, low, high in (("Mean of the sites", "low", "high"), ("A further site", "prediction_low", "prediction_high")):
        drawn.append(text(8, y + 4, words, bold=True))
        for row in means:
            middle = row["mean"] if low == "low" else None
            drawn += _line(row["measure"], scales[row["measure"]], y, middle, row[low], row[high], "needs 3 sites", mean=True)
        y += ROW
    grid: list[Markup] = []
    for name, scale in scales.items():
        grid += x_axis(Plot(scale, Scale(0, 1, y, 36)), [0, 0.5, 1], "", labels=["0", "50%", "100%"])
        grid.append(text((scale.start + scale.stop) / 2, 20, name.capitalize(), anchor="middle", bold=True, colour=STYLE[name][0]))
    said = "One row a site with its 95% interval; below them the mean of the sites, and the prediction interval of a further one."
    return svg("chart-sites", "Sensitivity and specificity by site", said, 900, y + 32, *grid, *drawn)


def _line(
    name: str, scale: Scale, y: float, middle: float | None, low: float | None, high: float | None, otherwise: str, *, mean: bool = False
) -> list[Markup]:
    """Return an interval with its middle, where it has one, and the figures behind it; or why there is none."""
    colour, shape = STYLE[name]
    if low is None or high is None:
        return [text(scale.stop + 12, y + 4, otherwise, colour=SOFT, size=12)]
    limits = interval(low, high)
    drawn = [
        rule(scale(low), y, scale(high), y, colour, width=1.8 if middle is not None else 3.4, dash=None if middle is not None else "5 3")
    ]
    if middle is not None:
        drawn.append(marker("diamond" if mean else shape, scale(middle), y, colour, size=4.5, title=f"{share(middle)}, 95% CI {limits}"))
    return [*drawn, text(scale.stop + 12, y + 4, limits if middle is None else f"{share(middle)}, {limits}", size=12)]


def _calibration(facts: Facts) -> Markup | None:
    """Return slope, intercept and calibration error everywhere and by site."""
    asked = {row["question"] for row in facts.site_calibration}
    questions = [
        question for question in ("stage_3", "pneumonia", "covid") if question in asked and not (question == "covid" and "stage_3" in asked)
    ]
    rows = [
        (
            f"{QUESTIONS[question]}: {'everywhere' if row['site'] == 'all' else row['site']}",
            *(_limited(row, name) for name in ("slope", "intercept")),
            NOTHING if row["ece"] is None else f"{row['ece']:.3f} ({row['ece_by_chance_high']:.3f})",
        )
        for question in questions
        for row in facts.of_question(facts.site_calibration, question)
    ]
    if not rows:
        return None
    words = (
        "Logistic recalibration by site. Slope: 1 is right, and below 1 the scores are too extreme. Intercept: 0 is right, and above 0 "
        "the scores are too low, in logits with the slope held at 1. ECE: the mean distance of the observed share from the mean score, "
        "over ten equal steps of the score, weighted by persons. Chance alone raises it where there are few: beside it stands what 95 of "
        "100 samples would stay below if every score were right. Sites with few cases, or few others, are not shown."
    )
    head = ["", "slope (95% CI)", "intercept (95% CI)", "ECE (by chance up to)"]
    return together([paragraphs(words), table(head, rows, caption="Calibration by site, by person")])


def _limited(row: ViewRow, name: str) -> str:
    if row[name] is None:
        return NOTHING
    return f"{row[name]:.2f}" if row[f"{name}_low"] is None else f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"
