"""What was found, beside thresholds: what the answers are worth at a stated prevalence, and their net benefit as a decision curve."""

from screening.page.charts import BLUE, GREEN, GREY, VERMILION, Plot, Scale, legend, rule, svg, ticks, x_axis, y_axis
from screening.page.markup import Markup, figure, table, tag, together
from screening.page.section import PERSON_UNIT, empty
from screening.page.wording import NOTHING, interval, share
from screening.report.facts import QUESTIONS, Facts, ViewRow, ViewRows, why_nothing

SHOWN_AT = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)  # threshold probabilities of the table
PERSONS = 1000  # that net benefit is told for


def net_benefit(facts: Facts) -> Markup:
    """Return the section: predictive values by person at the prevalence that was asked for, then the decision curve."""
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    if not facts.decision_curve:
        return empty("Empty, because net benefit needs both persons with and without the disease among the verified.")
    return together([_predictive_values(facts), _curve(facts)])


def _predictive_values(facts: Facts) -> Markup:
    rows = [row for row in facts.predictive_values if row["unit"] == "patient" and row["prevalence"]]
    body = [
        (
            QUESTIONS[row["question"]],
            share(row["prevalence"]),
            *(f"{share(row[name])} ({interval(row[f'{name}_low'], row[f'{name}_high'])})" for name in ("ppv", "npv")),
            _ranged(row, "screened_per_case", 0),
            _ranged(row, "tests_per_case", 1),
        )
        for row in rows
    ]
    head = ["stage", "prevalence", "PPV", "NPV", "screened for a case", "RT-PCR tests for a case"]
    stated = "stated" if facts.options.prevalence is not None else "of the verified persons, which is not that of a population"
    caption = f"At the prevalence {stated}, taken as known: 95% logit intervals (Mercaldo 2007). {PERSON_UNIT}"
    return table(head, body, caption=caption)


def _ranged(row: ViewRow, name: str, digits: int) -> str:
    value, low, high = (row[f"{name}{part}"] for part in ("", "_low", "_high"))
    if value is None:
        return NOTHING
    return f"{value:,.{digits}f}" + (f" ({low:,.{digits}f} to {high:,.{digits}f})" if low and high else "")


def _curve(facts: Facts) -> Markup:
    rows = facts.decision_curve
    calibrated = _by_score(rows)
    shown = [row for row in rows if round(row["threshold_probability"], 2) in SHOWN_AT]
    head = ["threshold probability", "as called", *(["by score"] if calibrated else []), "testing everybody", "tests spared of 100"]
    names = ["net_benefit", *(["net_benefit_by_score"] if calibrated else []), "net_benefit_all"]
    body = [
        (
            f"{100 * row['threshold_probability']:.0f}%",
            *(f"{PERSONS * row[name]:+.1f}" for name in names),
            f"{row['avoided_per_100']:+.1f}",
        )
        for row in shown
    ]
    caption = (
        f"{PERSON_UNIT} Net benefit (Vickers and Elkin, 2006): cases found for every {PERSONS:,} screened, less false alerts, each "
        "weighed by the odds of the threshold probability: how likely the disease must be before one would test. Testing nobody has 0. "
        "The calls are worth making where their line is the highest."
    )
    numbers = table(head, body, caption=f"Net benefit for every {PERSONS:,} persons screened, at {share(rows[0]['prevalence'])} cases")
    left_out = tag("p", "Scores are not calibrated, so that a threshold probability cannot be held against them: only the calls are drawn.")
    return together([figure(decision_chart(rows), caption, numbers), None if calibrated else left_out])


def _by_score(rows: ViewRows) -> bool:
    return all(row["calibrated"] and row["net_benefit_by_score"] is not None for row in rows)


def decision_chart(rows: ViewRows) -> Markup:
    """Return net benefit against the threshold probability, from rows of the view decision_curve; what lies far below 0 is cut off."""
    prevalence = rows[0]["prevalence"]
    most, last = PERSONS * prevalence * 1.05, min(0.99, max(0.2, 2 * prevalence))
    plot = Plot(Scale(0, last, 72, 620), Scale(-most / 4, most, 300, 30))
    drawn = [
        *x_axis(plot, ticks(0, last, 6), "Threshold probability"),
        *y_axis(plot, ticks(-most / 4, most, 6), f"Net benefit of {PERSONS:,}"),
        plot.line([(0, 0), (last, 0)], GREY, width=1.6),
    ]
    series = [("net_benefit", BLUE, None, "As called"), ("net_benefit_all", VERMILION, "7 4", "Testing everybody")]
    series += [("net_benefit_by_score", GREEN, "2 3", "By score")] if _by_score(rows) else []
    key = []
    for name, colour, dash, words in series:
        points = [(row["threshold_probability"], PERSONS * row[name]) for row in rows if row["threshold_probability"] <= last]
        drawn.append(plot.line([(x, y) for x, y in points if y >= -most / 4], colour, dash=dash))
        key.append((rule(-9, 0, 9, 0, colour, width=2.2, dash=dash), words))
    key.append((rule(-9, 0, 9, 0, GREY, width=1.6), "Testing nobody"))
    said = "Where the line of the calls is above those of testing everybody and nobody, the calls are worth making."
    return svg("chart-decision", "Decision curve: net benefit", said, 860, 350, *drawn, *legend(656, 60, key, step=26))
