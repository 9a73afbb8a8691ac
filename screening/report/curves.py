"""What was found, second part: ROC curves, thresholds, subgroups and calibration."""

from collections.abc import Callable

from screening.page.markup import Markup, figure, table, tag, together
from screening.page.section import PERSON_UNIT, Section, empty
from screening.page.wording import HIDDEN, NOTHING, count, interval, plural, score, share, shown_count
from screening.report.facts import QUESTIONS, Facts, ViewRow, ViewRows, area, why_nothing
from screening.report.net_benefit import net_benefit
from screening.report.plots import SHOWN_VALUES, Curve, calibration_chart, forest_chart, roc_chart, threshold_chart

MEASURES = ("sensitivity", "specificity")
SUBGROUPS = ("age", "sex", "days since onset", "view", "site", "vendor")  # in this order

STAGE_OF = {"covid": "covid", "stage_3": "covid", "pneumonia": "pneumonia"}  # whose threshold moves


def curves(facts: Facts) -> list[Section]:
    """Return the sections, in order."""
    return [
        Section("roc", "ROC curves", "24", _roc(facts)),
        Section("thresholds", "Thresholds", "24", _thresholds(facts)),
        Section("net-benefit", "Predictive values and net benefit", "24", net_benefit(facts)),
        Section("subgroups", "Subgroups", "24", _subgroups(facts)),
        Section("calibration", "Calibration", "24", _calibration(facts)),
    ]


def known_curves(facts: Facts) -> list[Curve]:
    """Return the curves of the questions that have both persons with and without the disease."""
    known = []
    for question in QUESTIONS:
        as_run = facts.of_question(facts.verification, question)
        if question in facts.aurocs and as_run:
            known.append(Curve(question, facts.aurocs[question], facts.of_question(facts.roc, question), as_run[0]))
    return known


def _roc(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    known = known_curves(facts)
    if not known:
        return _one_sided()
    rows = [
        (
            QUESTIONS[curve.question],
            area(curve.auroc),
            count(curve.as_run["tp"] + curve.as_run["fn"]),
            count(curve.as_run["tn"] + curve.as_run["fp"]),
        )
        for curve in known
    ]
    areas = table(["curve", "AUROC (95% CI)", "positive", "negative"], rows, caption="Areas under the curves")
    points = [
        table(
            ["threshold", "sensitivity", "specificity", "TP", "FP", "FN", "TN"],
            [
                (score(row["threshold"]), *_shares(row), *(count(row[cell]) for cell in ("tp", "fp", "fn", "tn")))
                for row in _thinned(curve.points)
            ],
            caption=f"{QUESTIONS[curve.question]}: points of the curve (every so many-th where there are more than 60)",
        )
        for curve in known
    ]
    caption = f"{PERSON_UNIT} The cascade's curve moves the threshold of stage 3 while stage 2 keeps its own."
    return figure(roc_chart(known), caption, together([areas, *points]))


def _thresholds(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    parts = []
    for curve in known_curves(facts):
        if curve.question == "stage_3" or not any(row["threshold"] is not None for row in curve.points):
            continue
        point = facts.bundle.operating_points.get(STAGE_OF[curve.question]) if facts.bundle else None
        in_use = point.threshold if point else None
        chart = threshold_chart(curve.question, curve.points, in_use)
        rows = _grid(curve.points, in_use)
        head = ["threshold", "TP", "FP", "FN", "TN", "sensitivity (95% CI)", "specificity (95% CI)"]
        body = [
            (
                f"{at:.3f}{' (in use)' if at == in_use else ''}",
                *(count(row[cell]) for cell in ("tp", "fp", "fn", "tn")),
                *_with_intervals(row),
            )
            for at, row in rows
        ]
        caption = f"{QUESTIONS[curve.question]}. {PERSON_UNIT} All thresholds but the one in use are exploratory."
        parts.append(figure(chart, caption, table(head, body, caption=f"{QUESTIONS[curve.question]}: the 2×2 table at each threshold")))
    return together(parts) if parts else _one_sided()


def _grid(points: ViewRows, in_use: float | None) -> list[tuple[float, ViewRow]]:
    """Return thresholds from 0.05 to 0.95 and the one in use, each with the 2x2 table of calling positive at or above it."""
    wanted = sorted({*(round(0.05 * step, 2) for step in range(1, 20)), *([] if in_use is None else [in_use])})
    dated = [row for row in points if row["threshold"] is not None]
    grid = []
    for at in wanted:
        called = [row for row in dated if row["threshold"] >= at]
        if called:  # points come in falling order: the last one is the lowest threshold that calls the same persons
            grid.append((at, called[-1]))
    return grid


def _subgroups(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    overall = next((row for row in facts.of_question(facts.accuracy, "covid") if row["unit"] == "patient"), None)
    rows = [row for row in facts.subgroups if row["suppressed"] or row["sensitivity_n"] != 0 or row["specificity_n"] != 0]
    if overall is None or not rows or not overall["sensitivity_n"] + overall["specificity_n"]:
        return empty("Empty, because no person is verified.")
    numbers = [
        (
            f"{row['subgroup']}: {row['subgroup_value']}",
            shown_count(row["units"]),
            *map(_estimate(row), MEASURES),
        )
        for row in rows
    ]
    head = ["subgroup", "persons", "sensitivity (95% CI)", "specificity (95% CI)"]
    smallest = facts.options.smallest_cell
    caption = (
        f"{QUESTIONS['covid']}, by person. Figures that rest on fewer than {smallest} persons, or would give such a group away, are "
        f"not shown. "
        f"Of each characteristic at most {SHOWN_VALUES} groups are drawn; the table has all."
    )
    return figure(forest_chart(largest(rows), overall), caption, table(head, numbers, caption="Accuracy by subgroup"))


def largest(rows: ViewRows) -> ViewRows:
    """Return the rows of at most SHOWN_VALUES values of each subgroup, those with the most persons, in their order."""
    kept = []
    for subgroup in SUBGROUPS + tuple(dict.fromkeys(row["subgroup"] for row in rows if row["subgroup"] not in SUBGROUPS)):
        own = [row for row in rows if row["subgroup"] == subgroup]
        least = sorted((row["units"] or 0 for row in own), reverse=True)[:SHOWN_VALUES]
        kept += [row for row in own if (row["units"] or 0) >= least[-1]][:SHOWN_VALUES]
    return kept


def _estimate(row: ViewRow) -> Callable[[str], str]:
    def words(name: str) -> str:
        k, n = row[f"{name}_k"], row[f"{name}_n"]
        if n is None:
            return HIDDEN
        return f"{share(row[name])} ({count(k)}/{count(n)}; {interval(row[f'{name}_low'], row[f'{name}_high'])})" if n else NOTHING

    return words


def _calibration(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    figures = []
    for question in ("stage_3", "pneumonia"):
        if rows := facts.of_question(facts.calibration, question):
            (brier,) = facts.of_question(facts.brier, question)
            words = (
                f"Brier score {brier['brier']:.3f} (n = {count(brier['n'])}; {brier['brier_reference']:.3f} by the share of cases alone)."
            )
            outside = f" {plural(brier['outside'], 'score')} outside 0 to 1 left out." if brier["outside"] else ""
            caption = f"{QUESTIONS[question]}: {words} The larger the mark, the more persons.{outside}"
            figures.append(figure(calibration_chart(question, rows), caption, _calibration_table(rows)))
    if not figures:
        return empty("Empty, because no verified person has a score from 0 to 1.")
    calibrated = facts.scope is not None and facts.scope["calibrated"]
    uncalibrated = "Scores are not calibrated: the bundle has no calibration, and they are no probabilities."
    return together(
        [tag("p", "Scores were calibrated by the bundle." if calibrated else uncalibrated), tag("div", *figures, class_="pair")]
    )


def _calibration_table(rows: ViewRows) -> Markup:
    head = ["score", "mean score", "positive", "persons", "observed", "95% CI"]
    body = [
        (
            f"{row['bin_low']:.1f} to {row['bin_high']:.1f}",
            score(row["predicted"]),
            *(count(row[name]) for name in ("k", "n")),
            share(row["observed"]),
            interval(row["low"], row["high"]),
        )
        for row in rows
    ]
    return table(head, body, caption="Calibration by tenths of the score, by person")


def _one_sided() -> Markup:
    return empty("Empty, because a curve needs scores of both positive and negative persons among the verified.")


def _thinned(rows: ViewRows, at_most: int = 60) -> ViewRows:
    step = -(-len(rows) // at_most)
    return [row for number, row in enumerate(rows) if number % step == 0 or number == len(rows) - 1]


def _shares(row: ViewRow) -> tuple[str, str]:
    return share(row["sensitivity"]), share(row["specificity"])


def _with_intervals(row: ViewRow) -> tuple[str, ...]:
    words = []
    for name, k, n in (("sensitivity", row["tp"], row["tp"] + row["fn"]), ("specificity", row["tn"], row["tn"] + row["fp"])):
        limits = interval(row[f"{name}_low"], row[f"{name}_high"])
        words.append(f"{share(row[name])} ({count(k)}/{count(n)}; {limits})" if n else NOTHING)
    return tuple(words)
