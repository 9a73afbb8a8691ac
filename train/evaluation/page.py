"""`evaluation.html`: what `metrics.json` holds, as one page that opens offline. No script, no request: charts are SVG in the page."""

from datetime import UTC, datetime
from typing import Any

from screening.page.head import head
from screening.page.markup import Child, Markup, figure, paragraphs, table, tag, together
from screening.page.section import Section, empty, notice
from screening.page.wording import count, score
from train.data.manifest import GROUPS
from train.evaluation.audit_page import audit_section
from train.evaluation.charts import calibration_chart, roc_chart
from train.evaluation.figures import RULES, SMALL_CELL
from train.evaluation.wording import LABELS, STAGES, calibration_error, estimate, gap, proportion

_METHODS = """Unit of analysis: the image. Intervals are percentiles of {replicates} bootstrap draws of whole patients (seed
{seed}). A share of 0 or 1 has Wilson's interval of its patients; an AUROC of 1 has none. Every image goes through stage 3, whatever
stage 2 says. Stage 3 is judged among pneumonia and COVID-19, the cascade among all. By chance: the mean of the
calibration error, and what 95 of 100 samples stay below, where every probability is right."""
_POINTS = """Sensitivity and specificity are at the operating points of the bundle, which were chosen on its tuning split: figures
on that split flatter it."""
_LIMITS = """Public collections: label and source are entangled, and labels were mined from reports. What holds here need not hold
in another hospital."""


def evaluation_page(metrics: dict[str, Any], written: datetime | None = None) -> str:
    """Return the page that states these metrics, as `train.evaluation.evaluate` gives them."""
    title = f"Evaluation of {metrics['bundle']['name']}"
    chapters = {f"Split {name}": _sections(name, figures) for name, figures in metrics["splits"].items()}
    chapters["How this was measured"] = [Section("methods", "Methods", "", _methods(metrics))]
    main = tag(
        "main",
        tag("header", tag("h1", title), tag("p", _lead(metrics, written or datetime.now(UTC)), class_="lead"), _keys(metrics)),
        *(section.markup() for sections in chapters.values() for section in sections),
        tag("footer", "For research; not a medical device."),
        id="top",
    )
    lists = [
        [tag("strong", name), tag("ol", *(tag("li", tag("a", each.title, href=f"#{each.name}")) for each in sections))]
        for name, sections in chapters.items()
    ]
    body = tag("body", tag("div", tag("nav", together(lists), aria_label="Contents"), main, class_="page"))
    page = tag("html", head(title), body, lang="en")
    return f"<!doctype html>\n{page}"


def _lead(metrics: dict[str, Any], written: datetime) -> str:
    manifest = metrics["manifest"]
    words = f"Bundle {metrics['bundle']['digest'][:12]} on {manifest['file']} ({manifest['sha256'][:12]})."
    return f"{words} Written {written:%Y-%m-%d %H:%M} UTC."


def _keys(metrics: dict[str, Any]) -> Markup:
    """Return the figures of the last split, which is the test where there is one."""
    split, figures = list(metrics["splits"].items())[-1]
    stages, accuracy = figures["stages"], figures["three_class"]["operating_points"]["accuracy"]
    keys = {
        "Dice of the lungs": figures["dice"]["mean"],
        "AUROC of stage 2": stages["pneumonia"]["auroc"],
        "AUROC of stage 3": stages["covid"]["auroc"],
        "AUROC of stage 3, lungs erased": figures["audit"] and figures["audit"]["lungs_erased"]["covid"]["lungs_erased"],
        "three-class accuracy": accuracy,
    }
    entries = [
        tag("li", tag("b", score(found and found["value"])), words, tag("span", f"split {split}: {_rests_on(found)}"))
        for words, found in keys.items()
    ]
    return tag("ul", *entries, class_="keys")


def _rests_on(found: dict[str, Any] | None) -> str:
    if found is None:
        return "not measured"
    limits = "" if found["low"] is None else f"; 95% CI {found['low']:.3f} to {found['high']:.3f}"
    return f"{count(found['n'])} images of {count(found['patients'])} patients{limits}"


def _sections(split: str, figures: dict[str, Any]) -> list[Section]:
    parts: list[tuple[str, str, Child]] = [
        ("stages", "Stages", _stages(split, figures)),
        ("classes", "Three classes", [_classes(rule, found) for rule, found in figures["three_class"].items()]),
        ("calibration", "Calibration", _calibration(split, figures["stages"])),
        ("subgroups", "By source, view and finding", [_subgroups(column, rows) for column, rows in figures["by"].items()]),
        ("comparisons", "Comparisons", _comparisons(figures["comparisons"])),
        ("audit", "Shortcut audit", audit_section(split, figures["audit"])),
    ]
    return [Section(f"{split}-{name}", title, "", together([body])) for name, title, body in parts]


def _stages(split: str, figures: dict[str, Any]) -> Markup:
    rows = [
        (
            STAGES[stage],
            f"{found['positives']} / {found['negatives']}",
            estimate(found["auroc"]),
            f"{found['operating_point']['threshold']:.3f}" if "operating_point" in found else "both",
            proportion(found["sensitivity"]),
            proportion(found["specificity"]),
        )
        for stage, found in figures["stages"].items()
    ]
    columns = ["question", "positive / negative", "AUROC (95% CI)", "threshold", "sensitivity (k/n; 95% CI)", "specificity (k/n; 95% CI)"]
    return together(
        [
            tag("p", _counts(figures)),
            table(columns, rows, caption=f"Split {split}, by image"),
            _dice(figures["dice"]),
            roc_chart(split, figures["stages"]),
        ]
    )


def _counts(figures: dict[str, Any]) -> str:
    labels = ", ".join(f"{count(n)} {LABELS[label]}" for label, n in figures["labels"].items())
    refused = ", ".join(f"{count(n)} {reason}" for reason, n in figures["refused"].items()) or "none"
    lost = f"{count(figures['lungs_not_found'])}, which count as negative in every stage, and as wrong among three classes"
    judged = f"{count(figures['images'])} images of {count(figures['patients'])} patients: {labels}."
    return f"{judged} Refused by the gate before stage 1: {refused}. Lungs not found: {lost}."


def _dice(dice: dict[str, Any]) -> Markup:
    quantiles = ("least", "q05", "q25", "median", "q75", "q95")
    row = [count(dice["mean"]["n"]), estimate(dice["mean"]), *(score(dice[name]) for name in quantiles), proportion(dice["lobe_missed"])]
    columns = ["masks", "mean (95% CI)", "least", "5%", "25%", "median", "75%", "95%", "a lobe missed"]
    return table(columns, [row], caption="Stage 1: Dice coefficient of each image's lung mask")


def _classes(rule: str, found: dict[str, Any]) -> Markup:
    rows = [(LABELS[label], *map(count, found["confusion"][label]), proportion(found["recall"][label])) for label in GROUPS]
    numbers = table(
        ["truth", *(f"called {LABELS[name]}" for name in found["called"]), "right"], rows, caption="Truth by row, call by column"
    )
    return together([tag("h3", f"Accuracy {proportion(found['accuracy'])}"), tag("p", f"Rule: {found['rule']}."), numbers])


def _calibration(split: str, stages: dict[str, Any]) -> Markup:
    figures = []
    for stage in ("pneumonia", "covid"):
        found = stages[stage]["calibration"]
        if not found["before"]["bins"]:
            continue
        rows = [(way, estimate(found[way]["brier"]), calibration_error(found[way])) for way in found if found[way] is not None]
        numbers = table(["", "Brier score (95% CI)", "expected calibration error (95% CI)"], rows, caption="Less is better")
        uncalibrated = "" if found["after"] else " The bundle does not calibrate this stage."
        figures.append(figure(calibration_chart(f"{split}-{stage}", STAGES[stage], found), f"{STAGES[stage]}.{uncalibrated}", numbers))
    return tag("div", *figures, class_="pair") if figures else empty("Empty, because no image was judged.")


def _subgroups(column: str, rows: list[dict[str, Any]]) -> Markup:
    body = []
    for row in rows:
        name = row["value"] + (" (small)" if row["small"] else "")
        stages = (row["stages"][stage]["auroc"] | {"small": row["stages"][stage]["small"]} for stage in ("pneumonia", "covid"))
        areas = [estimate(found) + (" *" if found["small"] else "") for found in stages]
        people = f"{count(row['images'])} ({count(row['patients'])})"
        body.append((name, people, estimate(row["dice"]), *areas, proportion(row["accuracy"])))
    columns = [column, "images (patients)", "Dice", "AUROC stage 2", "AUROC stage 3", "three classes right"]
    return table(columns, body, caption=f"By {column}. Small, or *: rests on fewer than {SMALL_CELL} images of a class")


def _comparisons(comparisons: list[dict[str, Any]]) -> Markup:
    if not comparisons:
        return empty("None was asked for: see --compare and --without-lung-mask.")
    return together(_comparison(found) for found in comparisons)


def _comparison(found: dict[str, Any]) -> Markup:
    rows = [
        (f"AUROC, {STAGES[stage][0].lower()}{STAGES[stage][1:]}", score(areas["first"]), score(areas["second"]), gap(areas))
        for stage, areas in found["auroc"].items()
        if areas is not None
    ]
    accuracy = found["accuracy"]
    rows.append(("three classes right", score(accuracy["first"]), score(accuracy["second"]), estimate(accuracy["difference"])))
    rows.append(("Dice", "", "", estimate(found["dice"])))
    caption = f"Less {found['second']} ({found['second_digest'][:12]}) on {count(found['images'])} images: above 0 this bundle is better"
    return table(["figure", "this bundle", "the other", "difference (95% CI)"], rows, caption=caption)


def _methods(metrics: dict[str, Any]) -> Markup:
    how = metrics["bootstrap"]
    rules = (f"{name.replace('_', ' ').capitalize()}: {words}." for name, words in RULES.items())
    how_measured = _METHODS.format(replicates=count(how["replicates"]), seed=how["seed"])
    return together([paragraphs(how_measured, _POINTS, *rules), notice(_LIMITS)])
