"""The model card of a bundle (Mitchell et al. 2019), written from what was measured: nothing in it is typed in by hand."""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.bundle import BundleManifest
from screening.bundle.checks import load_manifest
from screening.errors import UsageError
from screening.page.wording import NOTHING, count, score, share
from screening.storage import join, put_atomic
from train.data.manifest import GROUPS, SPLITS
from train.datasets.registry import SETS
from train.evaluation.figures import LOBE
from train.evaluation.metrics_file import write_metrics
from train.evaluation.randomisation import LEVELS, METHODS
from train.evaluation.wording import LABELS, NOT_MEASURED, STAGES, calibration_error, estimate, gap, proportion
from train.release.packing import weights_megabytes

CARD_FILE = "MODEL_CARD.md"
RADIOPAEDIA = "Radiopaedia, where some are from, does not mean its images for such sets"
LICENCES = {
    "nih": "CC0 (NIH Clinical Center); labels mined from reports",
    "cohen": f"by image: CC BY, CC BY-NC-SA and others, unstated for some; {RADIOPAEDIA}",
    "cxnet": f"by image: CC BY, CC BY-NC and CC BY-NC-SA; {RADIOPAEDIA}",
    "hannover": "CC BY 3.0",
    "figure1": "by image, as its authors were asked",
    "actualmed": "as its repository says",
    "padchest": "PadChest research use agreement",
    "rsna": "terms of the challenge: research and education",
    "montgomery": "National Library of Medicine, with attribution",
    "shenzhen": "National Library of Medicine, with attribution; lung masks CC BY-NC-SA 4.0",
}
CALLED = {"densenet": "a DenseNet", "efficientnet_lite": "an EfficientNet-Lite that photographs taught"}
PAPER = """The first column is what *A Cascaded Learning Strategy for Robust COVID-19 Pneumonia Chest X-Ray Screening* (Yeh, Cheng
et al., 2020) and DarkCovidNet (Ozturk et al., 2020) print, each on data of its own: the figures stand beside each other, they are
no contest. DarkCovidNet's split is by image, so that one patient may be trained and tested on; ours, of the same NIH images and
others, is by patient."""
INTENDED = """Research on screening radiographs of a population: to study cascades, thresholds and shortcuts, and to try out the
software around them. **Not a medical device.** No decision about a person may rest on it, and nobody should be told a result.
Frontal (PA or AP) chest radiographs of the kind it was trained on; not for lateral views, children where the training data have
none, or images of screens and films."""
CAVEATS = """- Label and source are entangled in the public collections: most COVID-19 images come from other hospitals than the
  normal ones. The shortcut audit above says how much of the answer could be source.
- Labels of the large collections were mined from reports and are noisy; COVID-19 is by the collection's word, mostly RT-PCR.
- Probabilities hold at the share of positives of the tuning split, not at the prevalence of any population. Choose thresholds
  anew on your own people (`screening thresholds`), and expect figures to fall in another hospital: the paper's own fell from 99.9
  % to 40.0 %.
- Heatmaps show where a network looks, not why; Guided Grad-CAM illustrates and decides nothing."""
ETHICS = """The bundle holds weights, no image and no name. Public collections over-represent severe and published cases, and say
little of age, sex and origin: no figure here supports a claim of equal performance across people. A screening that misses, or
alarms, costs: people held back for want of a test, tests spent on the well."""


def write_card(bundle_url: str, metrics: dict[str, Any], notes: str = "", crossvals: Sequence[dict[str, Any]] = ()) -> str:
    """Write MODEL_CARD.md into a bundle's folder from its manifest and what `train.evaluation.evaluate` gave for it; return its text.

    The metrics go there too, as metrics.json.

    Raises UsageError where the metrics are of another bundle, and BundleError without one.
    """
    manifest = load_manifest(bundle_url)
    if metrics.get("bundle", {}).get("digest") != manifest.digest():
        measured = metrics.get("bundle", {}).get("digest", "none")[:12]
        raise UsageError(f"these metrics are of bundle {measured}, not {manifest.digest()[:12]}: evaluate this one")
    text = model_card(manifest, metrics, weights_megabytes(bundle_url, manifest), notes, crossvals)
    put_atomic(join(bundle_url, CARD_FILE), text.encode())
    write_metrics(bundle_url, metrics)
    return text


def model_card(
    manifest: BundleManifest, metrics: dict[str, Any], megabytes: float, notes: str = "", crossvals: Sequence[dict[str, Any]] = ()
) -> str:
    """Return the card as Markdown.

    `notes` (Markdown) go in as they are, under a heading of their own. `crossvals` are what `train.crossval.cross_validate` gave.
    """
    sections = {
        "Model details": _details(manifest, megabytes),
        "Intended use": INTENDED,
        "Factors": "Source (collection) and view are reported below; age, sex and origin are unknown for most images, and are not.",
        "Metrics": _metrics(metrics),
        "Training data": _training_data(manifest.training_data),
        "Evaluation data": _evaluation_data(metrics, manifest.training_data.get("manifest_sha256")),
        **({"At a hospital it has not seen": "\n\n".join(map(_unseen, crossvals))} if crossvals else {}),
        "Quantitative analyses": "\n\n".join(_split(name, figures) for name, figures in metrics["splits"].items()),
        "Beside the paper's figures": _beside(metrics),
        "Ethical considerations": ETHICS,
        "Caveats and recommendations": CAVEATS,
    }
    if notes.strip():
        sections["Notes of this release"] = notes.strip()
    body = "\n\n".join(f"## {title}\n\n{text.strip()}" for title, text in sections.items())
    return f"# Model card: {manifest.name}\n\nBundle `{manifest.digest()}`. For research; not a medical device.\n\n{body}\n"


def _unseen(crossval: dict[str, Any]) -> str:
    """Return what the recipe does at hospitals that were left out of its training."""
    recipe, file = crossval["configuration"][crossval["stage"]], crossval.get("init_weights")
    rows = [
        (
            fold["source"],
            f"of {file['file']}" if file else "fresh" if fold["fresh_weights"] else f"of {crossval['init_from'][:12]}",
            f"{fold['positives']} / {fold['negatives']}",
            estimate(fold["auroc"]),
            proportion(fold["sensitivity"]),
            proportion(fold["specificity"]),
            estimate(fold["lungs_erased"]),
        )
        for fold in crossval["folds"]
    ]
    made = f"trained without that source, at {recipe['input_size']} pixels a side for {recipe['epochs']} epochs"
    if not recipe["epochs"]:
        made = f"that is not trained, at {recipe['input_size']} pixels a side, with a last layer fitted without that source"
    columns = ["left out", "first weights", "positive / negative", "AUROC (95 % CI)", "sensitivity", "specificity", "AUROC, lungs erased"]
    return "\n\n".join(
        [
            f"{STAGES[crossval['stage']]}. Each row is a network {made}, and judged on the source's images outside split test. "
            f"The others chose the operating point. Bundle `{crossval['init_from'][:12]}` brought the other stages.",
            markdown_table(columns, rows),
            f"Mean AUROC {crossval['mean_auroc']:.3f}, least {crossval['least_auroc']:.3f}. "
            f"Mean sensitivity {share(crossval['mean_sensitivity'])}, mean specificity {share(crossval['mean_specificity'])}.",
        ]
    )


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    lines = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _details(manifest: BundleManifest, megabytes: float) -> str:
    rows = []
    for stage, network in manifest.networks.items():
        point, line = manifest.operating_points.get(stage), manifest.calibration.get(stage)
        rows.append(
            (
                stage,
                f"{network.architecture} {network.arguments or ''}".strip(),
                network.input_size,
                NOTHING if point is None else f"{point.threshold:.4f}: {point.rule}, on {point.data}",
                NOTHING if line is None else f"sigmoid({line.slope:.3f} logit {line.intercept:+.3f}), on {line.data}",
            )
        )
    second, third = (CALLED[manifest.networks[stage].architecture] for stage in ("pneumonia", "covid"))
    words = (
        f"A cascade after Yeh, Cheng et al. (2020): a U-Net finds the lungs and all else is masked out, {second} tells pneumonia of any "
        f"kind from normal, and {third} on the image weighed by the second stage's heatmap tells COVID-19 from other pneumonia."
    )
    table = markdown_table(["stage", "network", "pixels a side", "operating point", "calibration (Platt)"], rows)
    code, license = manifest.code_version or "not stated", manifest.license or "not stated"
    facts = f"Weights: {megabytes:.1f} MB. Code: chest-screening {code}. Licence of the weights: {license}. Heatmap: {manifest.heatmap}."
    if manifest.preprocessing.gamma != 1:
        facts += f" Stages 2 and 3 see pixels in [0, 1] to the power of {manifest.preprocessing.gamma:g}."
    if manifest.preprocessing.lung_brightness is not None:
        facts += f" Darker lungs are brightened until their geometric mean is {manifest.preprocessing.lung_brightness:g}."
    return f"{words}\n\n{table}\n\n{facts}"


def _metrics(metrics: dict[str, Any]) -> str:
    how = metrics["bootstrap"]
    drawn = f"percentiles of {count(how['replicates'])} bootstrap draws (seed {how['seed']})"
    return (
        f"Unit of analysis: {metrics['unit']}: {drawn}. A share of 0 or 1 has Wilson's interval of its patients. AUROC, sensitivity and "
        "specificity at the operating points above, Dice coefficient of the lung mask, three-class accuracy, Brier score and expected "
        "calibration error (10 bins); by chance: its mean, and what 95 of 100 samples stay below, where every probability is right."
    )


def _training_data(data: dict[str, Any]) -> str:
    if not data:
        return "Not stated."
    images, masks = data.get("images", {}), data.get("lung_masks", {})
    labels = [
        label
        for label in (*GROUPS, *(set().union(*images.values()) - set(GROUPS) if images else ()))
        if any(label in n for n in images.values())
    ]
    rows = [(split, *(count(images.get(split, {}).get(label, 0)) for label in labels), count(masks.get(split, 0))) for split in SPLITS]
    sources = [
        (name, SETS[name].title if name in SETS else NOTHING, count(n), LICENCES.get(name, "see the source"))
        for name, n in data.get("sources", {}).items()
    ]
    parts = [
        markdown_table(["split", *(LABELS.get(label, label) for label in labels), "with a lung mask"], rows),
        markdown_table(["source", "collection", "images", "licence of the images"], sources),
        f"{count(data.get('patients'))} patients, no patient in two splits. Manifest SHA-256 `{data.get('manifest_sha256', NOTHING)}`.",
    ]
    if refused := data.get("refused"):
        parts.append("Refused by the gate: " + ", ".join(f"{count(n)} {reason}" for reason, n in refused.items()) + ".")
    if packed := data.get("packed_from"):
        parts.append(f"Weights were rounded to float16 from bundle `{packed[:12]}`; every figure below was measured after that.")
    if earlier := data.get("init_from"):
        parts.append(f"Began from bundle `{earlier['digest'][:12]}`.")
    return "\n\n".join([*parts, *_files_of_others(data)])


def _files_of_others(data: dict[str, Any]) -> list[str]:
    """Return a line for each file of other people's weights that this bundle, or one that it began from, was trained with."""
    lines = []
    record = data
    while record:
        if file := record.get("init_weights"):
            stage = STAGES[next(stage for stage in record["stages_trained"] if stage in STAGES)].partition(":")[0]
            lines.append(f"{stage} began with the weights of `{file['file']}`, SHA-256 `{file['sha256']}`, licence {file['license']}.")
        record = record.get("init_from", {}).get("training_data")
    return list(dict.fromkeys(lines))  # a stage that was fitted again began with the same file


def _evaluation_data(metrics: dict[str, Any], trained_on: str | None) -> str:
    rows = [
        (name, count(it["images"]), count(it["patients"]), *(count(it["labels"][label]) for label in GROUPS), count(it["lungs_not_found"]))
        for name, it in metrics["splits"].items()
    ]
    table = markdown_table(["split", "images", "patients", *(LABELS[label] for label in GROUPS), "lungs not found"], rows)
    if metrics["manifest"]["sha256"] == trained_on:
        words = "Split val chose operating points, calibration and when to stop: its figures flatter. Split test chose nothing."
    else:
        words = "This is another manifest than the one that it was trained on; nothing here says whether the two share patients."
    return f"{table}\n\nManifest `{metrics['manifest']['file']}`, SHA-256 `{metrics['manifest']['sha256']}`. {words}"


def _split(name: str, figures: dict[str, Any]) -> str:
    stages = [
        (
            STAGES[stage],
            f"{it['positives']} / {it['negatives']}",
            estimate(it["auroc"]),
            proportion(it["sensitivity"]),
            proportion(it["specificity"]),
        )
        for stage, it in figures["stages"].items()
    ]
    calibrated = [
        (STAGES[stage], way, estimate(calibrated["brier"]), calibration_error(calibrated))
        for stage in ("pneumonia", "covid")
        for way, calibrated in figures["stages"][stage]["calibration"].items()
        if calibrated is not None
    ]
    dice = figures["dice"]
    parts = [
        f"### Split {name}",
        markdown_table(["question", "positive / negative", "AUROC (95 % CI)", "sensitivity", "specificity"], stages),
        f"Dice of the lung mask: mean {estimate(dice['mean'])}, median {score(dice['median'])}, least {score(dice['least'])} "
        f"over {count(dice['mean']['n'])} images. "
        f"A piece larger than {share(LOBE)} of the lungs is missed in {proportion(dice['lobe_missed'])}.",
        *(_three_class(rule) for rule in figures["three_class"].values()),
        markdown_table(["calibration of", "", "Brier score", "expected calibration error"], calibrated),
        *(_subgroups(column, rows) for column, rows in figures["by"].items()),
        *(_comparison(compared) for compared in figures["comparisons"]),
        _audit(figures["audit"]),
    ]
    return "\n\n".join(parts)


def _three_class(figures: dict[str, Any]) -> str:
    rows = [(LABELS[label], *figures["confusion"][label], proportion(figures["recall"][label])) for label in GROUPS]
    table = markdown_table(["truth", *(f"called {LABELS[name]}" for name in figures["called"]), "right"], rows)
    return f"Three classes, {proportion(figures['accuracy'])} right. Rule: {figures['rule']}.\n\n{table}"


def _subgroups(column: str, rows: list[dict[str, Any]]) -> str:
    body = []
    for row in rows:
        areas = [
            estimate(row["stages"][stage]["auroc"]) + (" *" if row["stages"][stage]["small"] else "") for stage in ("pneumonia", "covid")
        ]
        body.append(
            (
                row["value"] + (" *" if row["small"] else ""),
                count(row["images"]),
                estimate(row["dice"]),
                *areas,
                proportion(row["accuracy"]),
            )
        )
    table = markdown_table([f"by {column}", "images", "Dice", "AUROC stage 2", "AUROC stage 3", "three classes right"], body)
    return f"{table}\n\n\\* rests on few images of a class."


def _comparison(figures: dict[str, Any]) -> str:
    areas = "; ".join(f"{STAGES[stage].split(':')[0]} {gap(it)}" for stage, it in figures["auroc"].items())
    return f"AUROC less that of {figures['second']} on the same {count(figures['images'])} images: {areas}."


def _audit(audit: dict[str, Any] | None) -> str:
    if audit is None:
        return f"Shortcut audit. {NOT_MEASURED}"
    erased = [
        (STAGES[stage], estimate(it["lungs_only"]), estimate(it["lungs_erased"]), gap(it["difference"]))
        for stage, it in audit["lungs_erased"].items()
    ]
    probes = [
        (
            LABELS[it["label"]],
            ", ".join(f"{name} {n}" for name, n in it["sources"].items()) or NOTHING,
            share(it["chance"]),
            estimate(it["balanced_accuracy"]),
        )
        for it in audit["source_probe"]
    ]
    energy = [(STAGES[stage], estimate(it["share"]), estimate(it["area"])) for stage, it in audit["energy"].items()]
    return "\n\n".join(
        [
            "Shortcut audit. With the lungs erased (set to the mean, everything else kept):",
            markdown_table(["AUROC", "lungs only", "lungs erased", "difference"], erased),
            "Telling the source within a label from what stage 3's head sees (cross-validated by patient):",
            markdown_table(["label", "images by source", "chance", "balanced accuracy"], probes),
            "Share of each heatmap inside the lung mask, beside the mask's share of the image:",
            markdown_table(["heatmap of", "inside", "area"], energy),
            *_randomisation(audit["randomisation"]),
        ]
    )


def _randomisation(found: dict[str, Any] | None) -> list[str]:
    title = "Heatmaps with random weights against the trained ones"
    if found is None:
        return [f"{title} (Adebayo et al. 2018). {NOT_MEASURED}"]
    rows = [
        (METHODS[method], LEVELS[level], estimate(it["rank_correlation"]), estimate(it["ssim"]))
        for method, levels in found["methods"].items()
        for level, it in levels.items()
    ]
    if not rows:
        return [f"{title} (Adebayo et al. 2018): no image has pneumonia and lungs."]
    numbers = markdown_table(["heatmap", "randomised", "rank correlation", "SSIM"], rows)
    return [f"{title}, {found['images']} images (Adebayo et al. 2018):", numbers]


def _beside(metrics: dict[str, Any]) -> str:
    split, figures = list(metrics["splits"].items())[-1]
    stages = figures["stages"]
    rows = [
        ("Dice of the lungs", "0.88", estimate(figures["dice"]["mean"])),
        ("AUROC of stage 2", "96.6 %", estimate(stages["pneumonia"]["auroc"])),
        ("AUROC of stage 3, open data", "99.9 %", estimate(stages["covid"]["auroc"])),
        ("stage 3, clinical data it was not trained on", "40.0 %", "not measured: no such data are public"),
        (
            "Three-class accuracy",
            "87.02 % (DarkCovidNet, split by image)",
            "; ".join(f"{proportion(it['accuracy'])}, {rule.replace('_', ' ')}" for rule, it in figures["three_class"].items())
            + " (split by patient)",
        ),
    ]
    return f"{PAPER}\n\n{markdown_table(['figure', 'printed', f'this bundle, split {split}'], rows)}"
