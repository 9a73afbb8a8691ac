"""What was found, third part: how many days the cascade came before RT-PCR, and what that cost in false alerts."""

from screening.page.markup import Markup, figure, table, tag, together
from screening.page.section import Section, empty
from screening.page.wording import HIDDEN, NOTHING, count, interval, plural, share
from screening.report.facts import LEAD_DAYS, Facts, ViewRow, why_nothing
from screening.report.plots import histogram
from screening.report.time_plots import POPULATIONS, lead_chart, onset_chart
from screening.report.timeline import EARLIEST, LATEST, timeline_chart

BAND_DAYS = (1, 2, 5)  # of LEAD_DAYS, those shown by days since onset
EDGE = 30  # days; lead times beyond are drawn at the edge


def early(facts: Facts) -> list[Section]:
    """Return the sections, in order."""
    return [
        Section("lead-time", "Lead time against RT-PCR", "", _lead_time(facts)),
        Section("timeline", "Timeline", "", _timeline(facts)),
    ]


def _lead_time(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    if not facts.lead_days:
        return empty("Empty, because no confirmed person has a scored radiograph that is linked with the positive test.")
    dated = [row for row in facts.lead_days if row["lead_days"] is not None]
    parts: list[Markup] = [_summary(facts)]
    if dated:
        bins: dict[float, int] = {}
        for row in dated:
            at = max(-EDGE, min(EDGE, row["lead_days"]))
            bins[at] = bins.get(at, 0) + row["persons"]
        said = "How many persons were detected how many days before (positive) or after (negative) their confirmation."
        chart = histogram(
            "chart-lead-time", "Lead time", said, sorted(bins.items()), "Days from first positive radiograph to confirmation", 1
        )
        numbers = table(["lead time in days", "persons"], [(row["lead_days"], count(row["persons"])) for row in dated], caption="Lead time")
        parts.append(
            figure(
                chart,
                "Persons detected with both dates. Filled: at least one day before confirmation; hollow: on the day or after.",
                numbers,
            )
        )
    return together([*parts, _survival(facts), _since_onset(facts)])


def _survival(facts: Facts) -> Markup | None:
    """Return lead time as a survival curve, which leaves nobody's missing date out of the count of days that are known to have passed."""
    rows = facts.lead_curve
    if not rows:
        return None
    words = (
        "Lead time by Kaplan and Meier, with the interval of Greenwood on the log-log scale. All confirmed persons: a person who was "
        "missed has no lead time. Those who were found: the persons with a positive radiograph. Where the day of a confirmation is "
        "missing, the lead time is censored on the day of the specimen, which the result cannot precede; where that is missing, too, the "
        "person takes no part. Persons who were confirmed after the table of tests ends are not in it, so lead times of the last weeks "
        f"are short. The curves end where fewer than {facts.options.smallest_cell} persons are left."
    )
    body = [
        (f"{row['days']} or more", POPULATIONS[row["population"]][3], count(row["at_risk"]), share(row["share"]), _limits(row))
        for row in rows
    ]
    head = ["days before confirmation", "of", "persons left", "share", "95% CI"]
    return figure(lead_chart(rows), words, table(head, body, caption="Lead time as a survival curve", text_columns=2))


def _since_onset(facts: Facts) -> Markup | None:
    """Return sensitivity by days since onset, which bands of days would cut into steps."""
    rows = facts.onset_curve
    if not rows:
        return None
    curve = "a restricted cubic spline with three knots" if rows[0]["form"] == "spline" else "a straight line"
    words = (
        "Unit: the radiograph that RT-PCR is positive for by the link rule, with a day of onset. The logit of sensitivity is "
        f"{curve} of the days; the band is the pointwise 95% interval, with several radiographs of one person as a cluster. It reaches as "
        f"far as at least {facts.options.smallest_cell} persons have radiographs."
    )
    body = [(str(row["days"]), share(row["share"]), _limits(row)) for row in rows]
    return figure(
        onset_chart(rows), words, table(["days since onset", "sensitivity", "95% CI"], body, caption="Sensitivity by days since onset")
    )


def _summary(facts: Facts) -> Markup:
    confirmed = sum(row["persons"] for row in facts.lead_days)
    detected = sum(row["persons"] for row in facts.lead_days if row["detected"])
    late = sum(row["persons"] for row in facts.lead_days if row["lead_days"] is not None and row["lead_days"] < 0)
    missing = sum(row["persons"] for row in facts.lead_days if row["dates_missing"])
    alerts = next((row for row in facts.of_question(facts.accuracy, "covid") if row["unit"] == "patient"), None)
    negatives = alerts["fp"] + alerts["tn"] if alerts else 0
    rows = [
        (f"{row['days']} or more", count(row["k"]), count(row["n"]), share(row["share"]), interval(row["low"], row["high"]))
        for row in facts.lead_summary
    ]
    words = (
        f"Lead time: days from the first positive radiograph to the confirmation of the same episode of the person, positive when the "
        f"radiograph came first. Of "
        f"{plural(confirmed, 'confirmed person')} with a scored radiograph {count(detected)} were detected, {count(late)} of them "
        f"only after "
        f"confirmation, and {count(confirmed - detected)} missed; dates are missing for {count(missing)}. The price: "
        f"{count(alerts['fp']) if alerts else NOTHING} false alerts among {plural(negatives, 'RT-PCR negative person')}."
    )
    head = ["days before confirmation", "persons", "confirmed persons", "share", "95% CI"]
    caption = "Detected at least that many days before confirmation; missed persons and missing dates stay in n"
    return together([tag("p", words), table(head, rows, caption=caption), _by_onset(facts)])


def _by_onset(facts: Facts) -> Markup | None:
    """Return how the gain depends on the days since onset: radiographs show more the longer symptoms last."""
    bands = dict.fromkeys(row["onset"] for row in facts.lead_by_onset)
    if not bands:
        return None
    rows = []
    for band in bands:
        of_band = {row["days"]: row for row in facts.lead_by_onset if row["onset"] == band}
        first = of_band[LEAD_DAYS[0]]
        if first["suppressed"]:
            rows.append((band, *[HIDDEN] * (2 + len(BAND_DAYS))))
            continue
        early = (f"{share(of_band[days]['share'])} ({count(of_band[days]['k'])}; {_limits(of_band[days])})" for days in BAND_DAYS)
        rows.append((band, count(first["n"]), count(first["detected"]), *early))
    head = ["days from onset to radiograph", "confirmed persons", "detected", *(f"{days} or more days early" for days in BAND_DAYS)]
    return table(
        head, rows, caption=f"By days since onset, share (persons; 95% CI); bands of fewer than {facts.options.smallest_cell} are hidden"
    )


def _limits(row: ViewRow) -> str:
    return interval(row["low"], row["high"])


def _timeline(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    if not facts.timeline:
        return empty("Empty, because no confirmed person has the dates of both radiograph and confirmation.")
    shown, possible = len(facts.timeline), facts.timeline[0]["of"]
    missing = sum(row["persons"] for row in facts.lead_days if row["dates_missing"])
    left_out = (
        f"{count(possible - shown)} of {count(possible)} persons are not shown: one in every so many was taken."
        if possible > shown
        else "All are shown."
    )
    caption = (
        f"One line a person, after Fig. 4 of the paper; days, not dates, so that nobody can be recognised. {left_out} "
        f"{plural(missing, 'person')} without "
        f"the dates. Marks earlier than day {EARLIEST} or later than day {LATEST} lie on the edge as ticks."
    )
    rows = [
        (
            row["place"],
            "yes" if row["detected"] else "no",
            NOTHING if row["onset_days"] is None else row["onset_days"],
            row["radiograph_days"],
        )
        for row in facts.timeline
    ]
    head = ["line", "detected", "symptom onset, day", "radiograph, day"]
    return figure(timeline_chart(facts.timeline), caption, table(head, rows, caption="Days after confirmation, negative before it"))
