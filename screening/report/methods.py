"""What was done: STARD 2015, items 1 to 18, as far as the results and the manifests know."""

from schemas.reasons import Outcome, Reason
from screening.analytics.chosen import chosen_here
from screening.page.markup import Markup, definition_list, paragraphs, table, tag, together
from screening.page.section import Section, empty, notice
from screening.page.wording import NOTHING, count, day, plural, score, share
from screening.report.facts import Facts, why_nothing

STAGES = {"pneumonia": "Stage 2: pneumonia of any kind against normal", "covid": "Stage 3: COVID-19 against other pneumonia"}


def methods(facts: Facts) -> list[Section]:
    """Return the sections of the methods, in order."""
    return [
        Section("introduction", "Background and objective", "3, 4", _introduction()),
        Section("design", "Design, setting and dates", "5, 8", _design(facts)),
        Section("eligibility", "Eligibility", "6, 7, 9", _eligibility()),
        Section("index-test", "Index test: the cascade", "10a, 12a, 13a", _index_test(facts)),
        Section("reference-standard", "Reference standard and how tests are linked", "10b, 12b, 13b", _reference_standard(facts)),
        Section("analysis", "Analysis", "14, 15, 16, 17", _analysis(facts)),
    ]


def _introduction() -> Markup:
    return paragraphs(
        "Radiographs of the chest are taken by the thousand every day, and read in the order in which they come. A cascade of three "
        "networks "
        "judges each of them at night: it finds the lungs, tells pneumonia from normal, and COVID-19 from other pneumonia (Yeh, "
        "Cheng et al., "
        "2020). Its role is triage: to name the persons who should have an RT-PCR test, or have it sooner.",
        "Objective: to estimate how well its answer agrees with RT-PCR, how many days before confirmation it came, and for whom it "
        "does worse.",
    )


def _design(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts, reference=False)) is not None:
        return nothing
    scope = facts.scope
    assert scope is not None
    pairs = [
        ("Collection", "Radiographs were taken in routine care; index test and reference standard were joined afterwards."),
        ("Objects found", f"{count(scope['objects'])}, of which {count(scope['scored'])} were scored"),
        ("Persons", f"{count(scope['persons'])}, known by pseudonym; {plural(scope['without_person'], 'object')} without one"),
        (
            "Radiographs taken",
            f"{day(scope['first_radiograph'])} to {day(scope['last_radiograph'])}; {count(scope['undated'])} without a date",
        ),
        ("Screened", f"nights of {day(scope['first_night'])} to {day(scope['last_night'])}"),
        ("Setting", f"{plural(scope['sites'], 'institution')}, equipment of {plural(scope['vendors'], 'manufacturer')}"),
    ]
    if facts.runs:
        versions = facts.runs[-1].versions
        pairs.append(
            ("Runs", ", ".join(run.run_id for run in facts.runs[-5:]) + (f" and {len(facts.runs) - 5} earlier" if facts.runs[5:] else ""))
        )
        pairs.append(
            (
                "Software",
                ", ".join(f"{name} {versions[name]}" for name in ("chest-screening", "python", "torch", "ray") if name in versions),
            )
        )
    return definition_list(pairs)


def _eligibility() -> Markup:
    rejections = [(reason.replace("_", " "), reason.description) for reason in Reason if reason.outcome is Outcome.REJECTED]
    rules = table(
        ["not eligible", "because"], rejections, caption="Why an object is no radiograph that the cascade may judge", text_columns=2
    )
    return together(
        [
            paragraphs(
                "Every object of the archive is looked at; none is left out by hand. Eligible are frontal radiographs of the chest "
                "that can be "
                "decoded. Of an image that was sent twice one copy counts. A refused image is no negative one: it is counted apart "
                "throughout."
            ),
            tag("details", tag("summary", "The rules of refusal"), rules),
        ]
    )


def _index_test(facts: Facts) -> Markup:
    if (nothing := why_nothing(facts, reference=False)) is not None:
        return nothing
    identity = definition_list([("File" if facts.made_elsewhere else "Bundle", facts.name), ("Digest", tag("code", facts.digest))])
    parts = [_other_answers(facts), paragraphs(_CASES if facts.made_elsewhere else _CASCADE.format(_fixed(facts))), identity]
    if facts.made_elsewhere:
        return together(parts)
    if facts.bundle is None:
        gone = "The bundle is not where the runs found it, so its thresholds, training data and metrics are not listed here."
        return together([*parts, empty(gone)])
    return together([*parts, _chosen_here(facts), _operating_points(facts), _training(facts)])


_CASCADE = (
    "A radiograph is positive when stage 2 calls it pneumonia and stage 3 calls it COVID-19, each at or above its threshold. {} Every "
    "other threshold below is exploratory. The cascade knows neither RT-PCR results nor clinical information."
)
_CASES = (
    "The answers were made elsewhere and read from a file of cases: calls as they stand there, or scores at or above a threshold that was "
    "given with them. How that product works, and what it knew, this report cannot say; its scores stand where those of stage 3 do."
)


def _other_answers(facts: Facts) -> Markup | None:
    if not facts.other_bundles:
        return None
    others = ", ".join(digest[:12] for digest in facts.other_bundles)
    return notice(f"There are answers of others too ({others}); this report is about the one named below. Choose with --bundle.")


def _fixed(facts: Facts) -> str:
    if chosen_here(facts.runs, facts.bundle):
        return "Not every threshold was fixed before these radiographs were scored: see below."
    return "Thresholds were fixed in the bundle before any of these radiographs was scored (pre-specified)."


def _chosen_here(facts: Facts) -> Markup | None:
    if not (stages := chosen_here(facts.runs, facts.bundle)):
        return None
    named = " and ".join(STAGES[stage] for stage in stages)
    return notice(
        f"The threshold of {named} was chosen on people of this results folder. Where the people below are among them, the sensitivity and "
        "specificity below are apparent ones: they flatter the threshold, the more so the fewer people it was chosen on. Beside them stand "
        "figures that are corrected for the choice, where it could be repeated. For an estimate that holds, measure people who came after "
        "the choice."
    )


def _operating_points(facts: Facts) -> Markup:
    assert facts.bundle is not None
    rows = [
        (STAGES[stage], point.rule, point.data, score(point.threshold), share(point.sensitivity), share(point.specificity))
        for stage, point in facts.bundle.operating_points.items()
    ]
    head = ["stage", "rule", "chosen on", "threshold", "sensitivity there", "specificity there"]
    chosen_before = "" if chosen_here(facts.runs, facts.bundle) else " (pre-specified)"
    return table(head, rows, caption=f"Operating points{chosen_before}", text_columns=3)


def _training(facts: Facts) -> Markup:
    bundle = facts.bundle
    assert bundle is not None
    figures = [
        (f"{split}: {name.replace('_', ' ')}", f"{value:.3f}" if isinstance(value, float) else count(value))
        for split, values in bundle.metrics.items()
        if isinstance(values, dict)
        for name, value in values.items()
        if isinstance(value, int | float)
    ]
    images = bundle.training_data.get("images", {})
    data = [(split, *(count(by_label.get(label)) for label in ("normal", "pneumonia", "covid"))) for split, by_label in images.items()]
    facts_of_bundle = [
        ("Trained on", plural(bundle.training_data["patients"], "patient") if "patients" in bundle.training_data else NOTHING),
        ("Sources", ", ".join(f"{name} ({count(n)})" for name, n in bundle.training_data.get("sources", {}).items()) or NOTHING),
        ("Heatmap", bundle.heatmap),
        ("Youngest age", f"{bundle.preprocessing.min_age_years:g} years"),
        ("Calibrated", ", ".join(bundle.calibration) or "no: scores are not probabilities"),
        ("Licence", bundle.license or NOTHING),
    ]
    return together(
        [
            definition_list(facts_of_bundle),
            tag(
                "details",
                tag("summary", "Training images and the bundle's own metrics"),
                table(["split", "normal", "pneumonia", "COVID-19"], data, caption="Images the bundle was trained and tuned on"),
                table(["metric", "value"], figures, caption="Metrics that the bundle states of itself"),
            ),
        ]
    )


READINGS = (
    "Reference standard: the readings of radiologists. Wherever this report says RT-PCR positive, a reader saw COVID-19; RT-PCR negative "
    "stands for a reading of normal or of other pneumonia. No laboratory result is in it, and no lead time follows from it."
)


def _reference_standard(facts: Facts) -> Markup:
    if not facts.has_reference:
        return together([why_nothing(facts) or "", paragraphs(facts.link_rule)])
    if facts.agreement:
        return together([notice(READINGS), paragraphs(facts.link_rule), _matched(facts)])
    standard = paragraphs(
        "Reference standard: RT-PCR, as the registry reports it. Stage 2 is held against the radiologist's reading where the "
        "registry has one.",
        facts.link_rule,
        "A person is positive when any linked radiograph is, and so is the person's reference standard. Whether those who read the "
        "RT-PCR knew "
        "the index test is not known to this software.",
    )
    return together([standard, _matched(facts)])


def _matched(facts: Facts) -> Markup:
    """Return how many persons the reference standard and the radiographs have in common, with the warning where they are few."""
    match = facts.match
    if not match:
        return empty("Nothing was screened, so nobody of the reference standard has a radiograph.")
    words = (
        f"Persons of the reference standard: {count(match['reference_persons'])}, of whom {count(match['with_radiograph'])} "
        f"({share(match['share'])}) have a radiograph and {count(match['without_radiograph'])} have none. Persons with a radiograph: "
        f"{count(match['radiograph_persons'])}, of whom {count(match['with_test'])} have a reference test and "
        f"{count(match['without_test'])} have none."
    )
    warning = notice(f"Warning: {match['warning']}.") if match["warning"] else ""
    return together([paragraphs(words), warning])


def _analysis(facts: Facts) -> Markup:
    return paragraphs(
        "Every proportion is given with its counts and its 95% Wilson score interval. The area under the ROC curve counts ties as half "
        "(Mann-Whitney). Rejected and failed objects are no negatives: they are listed as not scored. Indeterminate and unverified "
        "persons enter no "
        "2×2 table; what they could change at most is computed under Missing and indeterminate.",
        f"Cells of fewer than {facts.options.smallest_cell} persons of a characteristic are not shown. With them goes whatever would give "
        "one away, in every table of this report together: further groups, the smallest first, and the days of onset in the timeline. "
        "No hypothesis is tested, and no correction for many subgroups is made. The sample is whatever the archive held; no sample size "
        "was computed.",
    )
