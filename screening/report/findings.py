"""What was found, first part: flow, participants, the interval between the tests, 2x2 tables, and what is not known."""

from screening.page.markup import Markup, figure, paragraphs, scrolling, table, tag, together
from screening.page.section import PERSON_UNIT, Section, empty, notice
from screening.page.wording import NOTHING, count, interval, plural, share, shown_count
from screening.report.facts import QUESTIONS, Facts, ViewRow, ViewRows, why_nothing
from screening.report.flow_chart import flow_chart
from screening.report.plots import histogram, participants_chart

UNITS = {"instance": "radiograph", "study": "study", "patient": "person"}
EDGE = 30  # days; intervals beyond are drawn at the edge


def findings(facts: Facts) -> list[Section]:
    """Return the sections, in order."""
    sections = [
        Section("flow", "Flow of participants", "19", _flow(facts)),
        Section("participants", "Participants", "20, 21", _participants(facts)),
        Section("interval", "Interval between radiograph and RT-PCR", "22", _interval(facts)),
        Section("accuracy", "Cross-tabulation and accuracy", "23, 24", _accuracy(facts)),
        Section("unknown", "Missing and indeterminate", "15, 16", _unknown(facts)),
    ]
    return [*sections, Section("agreement", "Agreement with readers", "", _agreement(facts))] if facts.agreement else sections


def _flow(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts, reference=False)) is not None:
        return nothing
    rows = [(row["box"], (row["reason"] or "").replace("_", " "), count(row["images"]), count(row["patients"])) for row in facts.flow]
    ends = [(row["answer"], row["verdict"] or "no reference table", count(row["images"]), count(row["patients"])) for row in facts.ends]
    numbers = together(
        [
            table(["box", "reason", "images", "persons"], rows, caption="Flow, by image", text_columns=2),
            table(
                ["answer of the cascade", "RT-PCR", "images", "persons"],
                ends,
                caption="Answers beside the reference standard",
                text_columns=2,
            ),
        ]
    )
    caption = "Unit: the image. Persons are those whose pseudonym is known; one with several images may stand in several boxes."
    return figure(flow_chart(facts.flow, facts.ends, made_elsewhere=facts.made_elsewhere), caption, numbers)


def _participants(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts, reference=False)) is not None:
        return nothing
    rows = facts.participants
    reference = ("positive", "negative") if facts.has_reference else ()
    numbers = [
        (f"{row['characteristic']}: {row['category']}", *(shown_count(row[name]) for name in ("persons", *reference))) for row in rows
    ]
    head = ["characteristic", "persons", *(f"RT-PCR {name}" for name in reference)]
    caption = (
        "Persons with an object in the archive, scored or not, by their first radiograph; an object without a pseudonym counts as "
        "one person. "
        "Severity and other diagnoses are not known to this software."
    )
    said = f"Participants; groups of 1 to {facts.options.smallest_cell - 1} are not shown, nor what would give them away"
    return figure(participants_chart(rows), caption, table(head, numbers, caption=said))


def _interval(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    dated = [row for row in facts.intervals if row["days"] is not None]
    if not dated:
        return empty("Empty, because no radiograph is linked with a dated test.")
    bins: dict[float, int] = {}
    for row in dated:
        at = max(-EDGE, min(EDGE, row["days"]))
        bins[at] = bins.get(at, 0) + row["images"]
    undated = sum(row["images"] for row in facts.intervals) - sum(row["images"] for row in dated)
    said = (
        "How many verified radiographs lie how many days before the specimen that decided their verdict; negative: the specimen came first."
    )
    chart = histogram(
        "chart-interval", "Days from radiograph to specimen", said, sorted(bins.items()), "Days from radiograph to specimen", 0
    )
    words = f"Verified radiographs; hollow bars: the specimen was taken before. {plural(undated, 'radiograph')} linked without a date."
    return figure(chart, words, table(["days", "radiographs"], [(row["days"], count(row["images"])) for row in dated], caption="Interval"))


def _accuracy(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    if not facts.accuracy:
        return empty("Empty, because no object counts.")
    parts: list[Markup] = []
    for question in ("covid", "pneumonia"):
        if rows := facts.of_question(facts.accuracy, question):
            names = [(UNITS[row["unit"]], row) for row in rows]
            parts += [tag("h3", QUESTIONS[question]), tag("div", *(_cross_table(row) for row in rows), class_="pair")]
            parts.append(_estimates(names, "unit of analysis", f"{QUESTIONS[question]}: estimates with 95% intervals"))
            parts.append(_optimism(facts) if question == "covid" else None)
    if not facts.of_question(facts.accuracy, "pneumonia"):
        parts.append(empty("No table for stage 2, because the reference table has no radiologist's readings."))
    stages = [(QUESTIONS[row["question"]], row) for row in facts.accuracy if row["unit"] == "patient"]
    return together(
        [
            *parts,
            tag("h3", "Stage by stage"),
            _estimates(stages, "stage", "Each stage by itself and the whole cascade, by person"),
            _gate_loss(facts),
        ]
    )


def _optimism(facts: Facts) -> Markup | None:
    """Return what the threshold gives on other people than those that it was chosen on, beside what it gave on them."""
    found = facts.optimism
    if not found:
        return None
    if found["why_not"]:
        return notice(
            f"These figures are apparent ones, because the threshold was chosen on these people. They are not corrected for it: "
            f"{found['why_not']}."
        )
    rows = [
        (
            f"{name}, threshold {found['threshold']:.3f}",
            f"{share(found[name])} ({count(found[f'{name}_k'])}/{count(found[f'{name}_n'])})",
            NOTHING if found[f"{name}_optimism"] is None else f"{100 * found[f'{name}_optimism']:+.1f}%",
            f"{share(found[f'{name}_corrected'])} ({interval(found[f'{name}_corrected_low'], found[f'{name}_corrected_high'])})",
        )
        for name in ("sensitivity", "specificity")
    ]
    said = (
        f"The threshold was chosen on these people by {found['rule']}. Corrected by Harrell's bootstrap of that choice over persons, "
        f"{count(found['replicates'])} draws; 95% intervals moved by the optimism"
    )
    return table(["by person", "apparent", "optimism", "corrected for the choice (95% CI)"], rows, caption=said)


def _gate_loss(facts: Facts) -> Markup | None:
    """Return what stage 2 holds back although stage 3 would have called it, as the audit sample tells."""
    if not facts.gate_loss:
        return None
    rows = [
        (
            f"RT-PCR {row['truth']}" if row["truth"] != "unverified" else "unverified",
            *(count(row[name]) for name in ("judged", "held_back", "audited", "audited_called")),
            NOTHING if row["lost"] is None else f"{row['lost']:.1f} ({row['lost_low']:.1f} to {row['lost_high']:.1f})",
        )
        for row in facts.gate_loss
    ]
    head = ["radiographs", "judged by stage 2", "held back", "of these audited", "called by stage 3", "lost in all, estimated (95% CI)"]
    return table(
        head, rows, caption="What stage 2 holds back although stage 3 would have called it, from the audit sample; unit: radiograph"
    )


def _estimates(named: list[tuple[str, ViewRow]], first: str, caption: str) -> Markup:
    head = [first, "sensitivity", "specificity", "PPV", "NPV", "LR +", "LR −"]
    body = [
        (
            name,
            *(_two_lines(row, measure) for measure in ("sensitivity", "specificity", "ppv", "npv")),
            *(_ratio(row, measure) for measure in ("lr_positive", "lr_negative")),
        )
        for name, row in named
    ]
    return table(head, body, caption=f"{caption}. PPV and NPV hold for the share of cases in these data; LR: likelihood ratio")


def _two_lines(row: ViewRow, name: str) -> Markup:
    k, n = count(row[f"{name}_k"]), count(row[f"{name}_n"])
    limits = interval(row[f"{name}_low"], row[f"{name}_high"])
    return together([share(row[name]), tag("small", f"{k}/{n}"), tag("small", limits)])


def _ratio(row: ViewRow, name: str) -> Markup | str:
    if row[name] is None:
        return NOTHING
    return together([f"{row[name]:.3g}", tag("small", f"{row[f'{name}_low']:.3g} to {row[f'{name}_high']:.3g}")])


def _cross_table(row: ViewRow) -> Markup:
    head = tag("tr", tag("td"), *(tag("th", words, scope="col") for words in ("reference +", "reference −")))
    lines = [
        tag("tr", tag("th", f"test {sign}", scope="row"), *(tag("td", count(row[cell])) for cell in cells))
        for sign, cells in (("+", ("tp", "fp")), ("−", ("fn", "tn")))
    ]
    outside = ", ".join(f"{count(row[name])} {name.replace('_', ' ')}" for name in ("indeterminate", "unverified", "not_scored"))
    note = f"By {UNITS[row['unit']]}, {count(row['units'])} in all: beside the table {outside}"
    return scrolling(tag("table", tag("caption", note), tag("thead", head), tag("tbody", *lines), class_="cross"), note)


AGREEMENT = {"finding": "normal, pneumonia or COVID-19", "pneumonia": "pneumonia of any kind", "covid": "COVID-19"}


def _agreement(facts: Facts) -> Markup:
    rows = [
        (
            f"{row['first']} and {row['name'] if row['kind'] == 'reader' else 'the cascade'}: {AGREEMENT[row['question']]}",
            *(count(row[name]) for name in ("n", "beside", "hidden")),
            share(row["observed"]),
            NOTHING if row["kappa"] is None else f"{row['kappa']:.2f}",
            NOTHING if row["kappa"] is None else f"{row['low']:.2f} to {row['high']:.2f}",
        )
        for row in facts.agreement
    ]
    head = ["judges and question", "radiographs", "unreadable or not scored", "scores hidden", "agreed", "kappa", "95% CI"]
    words = (
        "Cohen's kappa is the agreement beyond what chance would give, by radiograph, each reader's latest reading. Its interval is the "
        "large-sample one of Fleiss, Cohen and Everitt (1969). Scores hidden: of so many radiographs the server had shown no score before."
    )
    return together([paragraphs(words), table(head, rows, caption="Agreement; unit: the radiograph")])


def _unknown(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    head = ["", "in all", "2×2 table", "indeterminate", "unverified", "not scored", "of these RT-PCR +", "on undated links alone"]
    body = [
        (
            f"{QUESTIONS[row['question']]}, by {UNITS[row['unit']]}",
            *(count(n) for n in (row["units"], row["tp"] + row["fp"] + row["fn"] + row["tn"])),
            *(count(row[name]) for name in ("indeterminate", "unverified", "not_scored", "not_scored_positive", "undated")),
        )
        for question in ("covid", "pneumonia")
        for row in facts.of_question(facts.accuracy, question)
    ]
    bounds = [
        (
            QUESTIONS[row["question"]],
            count(row["unknown_called"]),
            count(row["unknown_not_called"]),
            interval(row["sensitivity_lowest"], row["sensitivity_highest"]),
            interval(row["specificity_lowest"], row["specificity_highest"]),
        )
        for row in facts.verification
    ]
    bound_head = ["", "not verified, index test +", "not verified, index test −", "sensitivity could be", "specificity could be"]
    return together(
        [
            paragraphs("Nothing is dropped in silence: what enters no 2×2 table is counted here."),
            table(head, body, caption="Counts; in all = 2×2 table + indeterminate + unverified + not scored"),
            table(
                bound_head, bounds, caption=f"How far persons without a verdict could move the answer, at worst and at best. {PERSON_UNIT}"
            ),
            _verification_notice(facts.of_question(facts.verification, "covid")),
        ]
    )


def _verification_notice(rows: ViewRows) -> Markup | None:
    if not rows:
        return None
    unknown = rows[0]["indeterminate"] + rows[0]["unverified"]
    scored = unknown + sum(rows[0][cell] for cell in ("tp", "fp", "fn", "tn"))
    if not unknown or unknown < 0.05 * scored:
        return None
    return notice(
        f"{share(unknown / scored)} of the scored persons ({count(unknown)}/{count(scored)}) have no verdict of the reference "
        f"standard. If who was "
        "tested depended on the radiograph, sensitivity above is too high and specificity too low (verification bias)."
    )
