"""The shortcut audit in words, tables and a chart: one section of the evaluation page."""

from typing import Any

from screening.page.markup import Markup, figure, table, tag, together
from screening.page.section import empty
from screening.page.wording import NOTHING
from train.evaluation.charts import dots_chart
from train.evaluation.probe import FEWEST_PATIENTS
from train.evaluation.randomisation import LEVELS, METHODS
from train.evaluation.wording import LABELS, NOT_MEASURED, STAGES, estimate, gap

WAYS = {"lungs_only": "lungs only", "lungs_erased": "lungs erased"}
_ERASED = """Lungs erased: the complement of the lung mask is shown, and the pixels inside it are set to the mean, as the cascade
does with those outside. The outline of the lungs stays visible, so that some of the signal may be honest. Near 0.5 is good."""
_PROBE = """Logistic regression on what the head of stage 3 sees, cross-validated with every patient in one fold. Within a label the
source says nothing of the disease: near chance is good."""
_RANDOM = """A map that keeps its look when the weights are random shows edges of the image, not what the network goes by: far below
1 is good. Means over {images} images, each with three draws of random weights."""


def audit_section(split: str, audit: dict[str, Any] | None) -> Markup:
    """Return the audit of one split, as `train.evaluation.audit` gives it; None where there was none."""
    if audit is None:
        return empty(NOT_MEASURED)
    return together(
        [
            _erased(split, audit["lungs_erased"]),
            _probes(audit["source_probe"]),
            _energy(audit["energy"], audit["randomisation"]),
            _randomisation(audit["randomisation"]),
        ]
    )


def _erased(split: str, stages: dict[str, Any]) -> Markup:
    shown = [(f"{STAGES[stage].split(':')[0]}, {words}", found[way]) for stage, found in stages.items() for way, words in WAYS.items()]
    chart = dots_chart(f"erased-{split}", "AUROC with lungs only and lungs erased", "Dashed: chance.", shown, 0.5)
    rows = [(STAGES[stage], *(estimate(found[way]) for way in WAYS), gap(found["difference"])) for stage, found in stages.items()]
    numbers = table(["stage", *WAYS.values(), "difference"], rows, caption="AUROC (95% CI)")
    return together([tag("h3", "With the lungs erased"), tag("p", _ERASED), figure(chart, "AUROC with 95% intervals.", numbers)])


def _probes(probes: list[dict[str, Any]]) -> Markup:
    rows = [
        (
            LABELS[probe["label"]],
            ", ".join(f"{name} {n}" for name, n in probe["sources"].items()) or NOTHING,
            NOTHING if probe["chance"] is None else f"{probe['chance']:.2f}",
            estimate(probe["balanced_accuracy"]),
        )
        for probe in probes
    ]
    columns = ["label", "images by source", "chance", "balanced accuracy (95% CI)"]
    numbers = table(columns, rows, caption=f"Sources with fewer than {FEWEST_PATIENTS} patients are left out", text_columns=2)
    return together([tag("h3", "Can the source be told within a label?"), tag("p", _PROBE), numbers])


def _energy(stages: dict[str, Any], guided: dict[str, Any] | None) -> Markup:
    names = {"pneumonia": METHODS["cam"], "covid": METHODS["grad_cam"]}
    rows = [(names[stage], *(estimate(found[name]) for name in ("share", "area", "difference"))) for stage, found in stages.items()]
    if guided is not None and guided["guided_energy"] is not None:
        name = f"{METHODS['guided_grad_cam']}, {guided['images']} images"
        rows.append((name, estimate(guided["guided_energy"]), estimate(guided["area"]), NOTHING))
    columns = ["heatmap", "share inside the lungs", "lungs' share of the image", "difference"]
    caption = "Mean over images (95% CI): a map without aim has the lungs' share of the image inside them"
    return together([tag("h3", "Where the heatmaps lie"), table(columns, rows, caption=caption)])


def _randomisation(found: dict[str, Any] | None) -> Markup:
    title = tag("h3", "Heatmaps of random weights (Adebayo et al. 2018)")
    if found is None:
        return together([title, empty(NOT_MEASURED)])
    rows = [
        (METHODS[method], LEVELS[level], estimate(figures["rank_correlation"]), estimate(figures["ssim"]))
        for method, levels in found["methods"].items()
        for level, figures in levels.items()
    ]
    if not rows:
        return together([title, empty("Empty, because no image has pneumonia and lungs.")])
    columns = ["heatmap", "randomised", "rank correlation (95% CI)", "SSIM (95% CI)"]
    numbers = table(columns, rows, caption="Before and after, by image", text_columns=2)
    return together([title, tag("p", _RANDOM.format(images=found["images"])), numbers])
