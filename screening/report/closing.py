"""What was found, last part: refusals, cases as pictures, what limits the answer, and where each item of STARD 2015 is."""

from schemas.reasons import Reason
from screening.page.charts import VERMILION
from screening.page.markup import Markup, figure, table, tag, together
from screening.page.section import Section, empty
from screening.page.wording import count, plural, score, share
from screening.report.facts import Facts, why_nothing
from screening.report.gallery import PANEL_SIZE, Case, Panel
from screening.report.plots import bars

KINDS = ("true positive", "false positive", "false negative")

# item of STARD 2015: where it is answered; a section's name, or None where only the authors can
CHECKLIST = (
    ("1", "Title names a study of diagnostic accuracy", "top"),
    ("2", "Structured summary", "top"),
    ("3", "Background, intended use and role of the index test", "introduction"),
    ("4", "Objectives", "introduction"),
    ("5", "Whether data were collected before or after the tests", "design"),
    ("6, 7, 9", "Eligibility; how participants were found; whether consecutive", "eligibility"),
    ("8", "Where and when", "design"),
    ("10a", "Index test, in sufficient detail", "index-test"),
    ("10b", "Reference standard", "reference-standard"),
    ("11", "Why this reference standard", None),
    ("12a", "Positivity thresholds of the index test, pre-specified or exploratory", "index-test"),
    ("12b", "Positivity of the reference standard", "reference-standard"),
    ("13a, 13b", "Who knew what", "index-test"),
    ("14", "Methods of estimation", "analysis"),
    ("15, 16", "Indeterminate and missing data", "unknown"),
    ("17", "Variability and subgroups, pre-specified or exploratory", "subgroups"),
    ("18", "Intended sample size", None),
    ("19", "Flow of participants", "flow"),
    ("20", "Baseline characteristics", "participants"),
    ("21a, 21b", "Severity of disease; other diagnoses", None),
    ("22", "Interval between index test and reference standard", "interval"),
    ("23", "Cross-tabulation", "accuracy"),
    ("24", "Estimates with intervals", "accuracy"),
    ("25", "Adverse events", None),
    ("26", "Limitations", "limits"),
    ("27", "Implications for practice", None),
    ("28, 29, 30", "Registration, protocol, funding", None),
)


def closing(facts: Facts, cases: list[Case]) -> list[Section]:
    """Return the sections, in order."""
    return [
        Section("failures", "Rejected and failed objects", "19", _failures(facts)),
        Section("gallery", "Cases", "", _gallery(facts, cases)),
        Section("limits", "What limits these answers", "26", _limits(facts)),
        Section("checklist", "STARD 2015 checklist", "", _checklist()),
    ]


def _failures(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts, reference=False)) is not None:
        return nothing
    rows = [row for row in facts.flow if row["reason"] is not None]
    objects = next(row["images"] for row in facts.flow if row["box"] == "objects found")
    if not rows:
        return empty(f"None: all {plural(objects, 'object')} were scored.")
    drawn = [(row["reason"].replace("_", " "), row["images"], f"{count(row['images'])} ({share(row['images'] / objects)})") for row in rows]
    body = [
        (row["reason"].replace("_", " "), row["box"], _meaning(row["reason"]), count(row["images"]), count(row["patients"])) for row in rows
    ]
    refused = sum(row["images"] for row in rows)
    chart = bars("chart-failures", "Rejected and failed objects", "Number of objects by reason.", drawn, VERMILION)
    share_refused = f"{count(refused)} of {plural(objects, 'object')} ({share(refused / objects)})"
    caption = f"{share_refused} were not scored. Rejected ones would be rejected again; failed ones can be scored again."
    return figure(
        chart,
        caption,
        table(["reason", "outcome", "meaning", "objects", "persons"], body, caption="Why objects were not scored", text_columns=3),
    )


def _meaning(code: str) -> str:
    reason = Reason.known(code)
    return "a reason that this version of the software does not know" if reason is None else reason.description


def _gallery(facts: Facts, cases: list[Case]) -> Markup:
    if (nothing := why_nothing(facts)) is not None:
        return nothing
    if facts.made_elsewhere:
        return empty("Empty, because the answers were made elsewhere: a file of cases has no pictures.")
    if not facts.options.cases:
        return empty("Left out: the report was written without cases.")
    if not cases:
        return empty("Empty, because no linked radiograph was called rightly or wrongly positive, or missed.")
    ramp = tag("span", class_="ramp", role="img", aria_label="colour scale from dark blue, 0, to yellow, 1")
    intro = tag(
        "p",
        "Four panels as in Figs. 5 and 6 of the paper: the radiograph as the cascade saw it, where stage 2 looked (class activation "
        "map), where stage 3 "
        "looked (Grad-CAM), and the guided activation (grey is zero), which illustrates and decides nothing. Maps from 0 ",
        ramp,
        " to 1, drawn over the radiograph. A radiograph may bear letters that were burned into it: look before you pass this file on.",
    )
    shown = [tag("h3", f"{kind.capitalize()}s") for kind in KINDS]
    parts: list[Markup] = [intro]
    for kind, heading in zip(KINDS, shown, strict=True):
        of_kind = [case for case in cases if case.row["kind"] == kind]
        parts += (
            [heading, *(_case(case, number) for number, case in enumerate(of_kind, 1))]
            if of_kind
            else [heading, empty("None among the linked radiographs.")]
        )
    return together(parts)


def _case(case: Case, number: int) -> Markup:
    row = case.row
    words = f"Chosen because: {row['why']}. Stage-2 score {score(row['pneumonia_score'])}, stage-3 score {score(row['covid_score'])}."
    title = f"{row['kind'].capitalize()} {number}"
    return tag(
        "article",
        tag("h4", title),
        tag("p", words),
        tag("div", *(_panel(panel, title) for panel in case.panels), class_="panels"),
        class_="case",
    )


def _panel(panel: Panel, title: str) -> Markup:
    if panel.png is None:
        picture = tag("div", panel.note, class_="missing")
    else:
        picture = tag("img", src=panel.png, alt=f"{title}: {panel.title.lower()}", width=PANEL_SIZE, height=PANEL_SIZE)
    return tag("figure", picture, tag("figcaption", panel.title))


def _limits(facts: Facts) -> Markup:
    words = [
        "RT-PCR is no perfect reference standard: a negative swab of an infected person makes a true positive a false one here.",
        "Who was tested was decided in care and not by this study; see Missing and indeterminate for how much that could matter.",
        "A network may recognise the hospital instead of the disease; compare sites and vendors under Subgroups, and the sources it "
        "was trained on.",
        "Heatmaps show what moved the score, not what is ill; guided activations change little when the network's weights are "
        "random (Adebayo et al., 2018).",
        "Persons are joined by pseudonym: one with two identifiers counts twice, two with the same identifier once.",
    ]
    if facts.bundle is not None and not facts.bundle.calibration:
        words.append("Scores are uncalibrated: a score of 0.9 is no probability of 90%.")
    return tag("ul", *(tag("li", sentence) for sentence in words))


def _checklist() -> Markup:
    rows = [
        (item, words, tag("a", "here", href=f"#{name}") if name else "not known to this software: for the authors to add")
        for item, words, name in CHECKLIST
    ]
    return table(["item", "what it asks for", "answered"], rows, caption="Bossuyt et al., BMJ 2015;351:h5527", text_columns=3)
