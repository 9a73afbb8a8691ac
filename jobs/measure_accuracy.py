"""`screening accuracy`: the cascade, or another product, against the reference standard."""

from typing import Annotated, Any

import typer

from jobs.analytics_source import (
    Bundles,
    CasesFiles,
    Columns,
    CostScreen,
    CostTest,
    Delimiter,
    Encoding,
    EpisodeDays,
    Groups,
    Indeterminate,
    Json,
    Prevalence,
    Reference,
    Repeated,
    Results,
    Threshold,
    Undated,
    WindowAfter,
    WindowBefore,
    print_links,
)
from jobs.console import err, out, print_json, run_command

BESIDE = ("units", "tp", "fp", "fn", "tn", "indeterminate", "unverified", "not_scored", "not_scored_positive", "undated")
AT_PREVALENCE = "At a stated prevalence (95 % intervals: logit, Mercaldo 2007; of costs by the delta method)"
OPTIMISM = "Chosen on these people: apparent, and corrected for the choice (Harrell's bootstrap over persons)"
FIGURES = ("sensitivity", "specificity", "ppv", "npv")


def command(
    results: Results = None,
    reference: Reference = None,
    cases: CasesFiles = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    bundle: Bundles = None,
    threshold: Threshold = None,
    group: Groups = None,
    unit: Annotated[str, typer.Option(help="unit of analysis: instance, study or patient")] = "patient",
    prevalence: Prevalence = None,
    cost_screen: CostScreen = None,
    cost_test: CostTest = None,
    min_cell: Annotated[int, typer.Option(min=1, help="subgroups with fewer verified units are not shown; 1 shows all")] = 5,
    replicates: Annotated[int, typer.Option(min=0, help="of the bootstrap over patients; 0 leaves it out")] = 1000,
    seed: Annotated[int, typer.Option(help="of the bootstrap")] = 0,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Measure accuracy against RT-PCR: 2×2, its figures and ROC areas with 95 % intervals, by stage and subgroup, bundles in pairs.

    Every proportion stands with k of n. What is unverified, indeterminate or not scored is counted beside the table, never in it.
    With --reference RESULTS/readings the readings that `screening serve` recorded are the reference standard, and kappa is given, too.

    Example:

        screening accuracy s3://results/nightly --reference rt_pcr.parquet --bundle 3fa2 --bundle 90cc
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics.accuracy import measure_accuracy
    from screening.analytics.chosen import measure_optimism
    from screening.analytics.linking import LinkRule
    from screening.analytics.predictive_values import measure_predictive_values
    from screening.analytics.thresholds import Question

    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    at = Question(unit, prevalence=prevalence, cost_screen=cost_screen, cost_test=cost_test)
    source = (results, reference, cases, column, bundle)
    options = {"encoding": encoding, "delimiter": delimiter, "threshold": threshold, "groups": group, "verified": True}
    with Steps(err) as steps, open_source(*source, rule, **options, on_progress=steps.show) as connection:
        drawn = {"replicates": replicates, "seed": seed}
        answer = measure_accuracy(connection, unit, min_cell=min_cell, **drawn, on_progress=steps.show)
        steps.show("repeating the choice of thresholds", 0, 0)
        answer["optimism"] = measure_optimism(connection, results, unit, **drawn)
        answer["predictive_values"] = measure_predictive_values(connection, at) if at.stated else []
    if json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: dict[str, Any]) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table

    print_links(answer)
    out.print(
        f"Unit of analysis: {answer['unit']}. 95 % intervals in brackets: Wilson; likelihood ratios by the log method; ROC areas by DeLong."
    )
    for title, rows in {
        "Counts": [_named(row, *BESIDE) for row in answer["accuracy"]],
        "Figures": [_named(row) | {name: share(row, name) for name in FIGURES} | _ratios(row) for row in answer["accuracy"]],
        AT_PREVALENCE: [_at_prevalence(row) for row in answer["predictive_values"]],
        OPTIMISM: [optimistic(row) for row in answer["optimism"]],
        "Corrected for who was tested (Begg and Greenes 1983), where that went with the answer and nothing else": [
            _corrected(row) for row in answer["verification"]
        ],
        "By clusters: units of one person or site may be alike (Wilson's interval, of n over the design effect)": [
            _clustered(row) for row in answer["clustered"]
        ],
        "Area under the ROC curve": [_area(row) for row in answer["auroc"]],
        "What stage 2 holds back that stage 3 would have called, from the audit sample (radiographs)": [
            _loss(row) for row in answer["gate_loss"]
        ],
        "Two at a time on the same units (McNemar's exact test; difference by Newcombe)": [_pair(row) for row in answer["paired"]],
        "Two ROC areas on the same units (DeLong)": [_paired_area(row) for row in answer["paired_auroc"]],
        f"Subgroups (fewer than {answer['min_cell']} verified units are suppressed)": [_subgroup(row) for row in answer["subgroups"]],
        "Brier score": [_named(row, "n", "outside", "brier", "brier_reference", "predicted", "observed") for row in answer["brier"]],
        "Calibration": [_bin(row) for row in answer["calibration"]],
        "Agreement with readers, by radiograph (Cohen's kappa; interval of Fleiss, Cohen and Everitt 1969)": [
            _agreement(row) for row in answer["agreement"]
        ],
    }.items():
        if rows:
            out.print()
            out.print(answer_table(pa.Table.from_pylist(rows), title))
    _warn_of_bias(answer["verification"])


def _warn_of_bias(rows: list[dict[str, Any]]) -> None:
    """Say where the called were tested more often than the others, or less."""
    for row in rows:
        if row["unequal"]:
            shares = [f"{row[f'{name}_verified']:,} of {row[name]:,} {name.replace('_', ' ')}" for name in ("called", "not_called")]
            err.print(
                f"{row['name']}, {row['question']}: {' but '.join(shares)} have a verdict of the reference standard, so sensitivity and "
                "specificity are biased; see the corrected ones",
                style="yellow",
                markup=False,
            )


def optimistic(row: dict[str, Any]) -> dict[str, Any]:
    """Return what choosing a threshold gives, of `analytics.optimism.correct_choice`, for people; or why it could not be corrected."""
    named = {name: row[name] for name in ("name", "subgroup", "rule") if name in row}
    if row.get("why_not"):
        return named | {"not corrected": row["why_not"]}
    cells = {"threshold": f"{row['threshold']:.4g}"}
    for name in ("sensitivity", "specificity"):
        cells[name] = f"{100 * row[name]:.1f} % ({row[f'{name}_k']}/{row[f'{name}_n']})"
        corrected = [row[f"{name}_corrected{part}"] for part in ("", "_low", "_high")]
        cells[f"{name} corrected"] = ranged(*(None if value is None else 100 * value for value in corrected), 1)
    return named | cells


def _corrected(row: dict[str, Any]) -> dict[str, Any]:
    verified = {f"verified of {name.replace('_', ' ')}": f"{row[f'{name}_verified']}/{row[name]}" for name in ("called", "not_called")}
    figures = {name: ranged(*(row[f"{name}_corrected{part}"] for part in ("", "_low", "_high"))) for name in ("sensitivity", "specificity")}
    return _named(row) | verified | figures


def _clustered(row: dict[str, Any]) -> dict[str, Any]:
    effect = "–" if row["design_effect"] is None else f"{row['design_effect']:.2f}"
    figure = proportion(row["k"], row["n"], row["share"], row["low"], row["high"])
    return _named(row, "measure", "cluster", "clusters") | {"share": figure, "design effect": effect}


def share(row: dict[str, Any], name: str) -> str:
    """Return a proportion in words: 81.8 % (45/55; 69.7 to 89.8)."""
    return proportion(row[f"{name}_k"], row[f"{name}_n"], row[name], row[f"{name}_low"], row[f"{name}_high"])


def proportion(k: int | None, n: int | None, value: float | None, low: float | None, high: float | None) -> str:
    """Return `value` in percent with k of n and its interval, a dash where there is none."""
    if value is None or low is None or high is None:
        return "–" if n is None else f"– ({k}/{n})"
    return f"{100 * value:.1f} % ({k}/{n}; {100 * low:.1f} to {100 * high:.1f})"


def ranged(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """Return a number with its interval, a dash where it is unknown."""
    if value is None:
        return "–"
    return f"{value:.{digits}f}" + ("" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})")


def _named(row: dict[str, Any], *columns: str) -> dict[str, Any]:
    return {"name": row["name"], "question": row["question"]} | {column: row[column] for column in columns}


def _at_prevalence(row: dict[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"prevalence": f"{100 * row['prevalence']:.3g} %"}
    for name, factor, digits in (
        ("ppv", 100, 1),
        ("npv", 100, 2),
        ("screened_per_case", 1, 0),
        ("tests_per_case", 1, 1),
        ("cost_per_case", 1, 2),
    ):
        limits = [None if row[f"{name}{part}"] is None else factor * row[f"{name}{part}"] for part in ("", "_low", "_high")]
        cells[f"{name.replace('_', ' ')}{' %' if factor == 100 else ''}"] = ranged(*limits, digits)
    return _named(row) | cells


def _ratios(row: dict[str, Any]) -> dict[str, str]:
    return {name: ranged(row[name], row[f"{name}_low"], row[f"{name}_high"], 2) for name in ("lr_positive", "lr_negative")}


def _area(row: dict[str, Any]) -> dict[str, Any]:
    area = ranged(row["auroc"], row["auroc_low"], row["auroc_high"])
    bootstrap = ranged(row["auroc"], row["bootstrap_low"], row["bootstrap_high"])
    return _named(row, "positives", "negatives") | {"auroc": area, "by bootstrap over patients": bootstrap}


def _loss(row: dict[str, Any]) -> dict[str, Any]:
    columns = ("truth", "judged", "held_back", "audited", "audited_called")
    return (
        {"name": row["name"]}
        | {column: row[column] for column in columns}
        | {
            "share": "–" if row["share"] is None else f"{100 * row['share']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f})",
            "lost": ranged(row["lost"], row["lost_low"], row["lost_high"], 1),
            "of judged": "–" if row["share_of_judged"] is None else f"{100 * row['share_of_judged']:.2f} %",
        }
    )


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "question": row["question"],
        "of": "sensitivity" if row["truth"] == "positive" else "specificity",
        "first": row["name"],
        "of the first": proportion(row["k"], row["n"], row["share"], row["low"], row["high"]),
        "second": row["other_name"],
        "of the second": proportion(row["other_k"], row["n"], row["other_share"], row["other_low"], row["other_high"]),
        "right alone": f"{row['only_first']} : {row['only_second']}",
        "difference": f"{100 * row['difference']:+.1f} % ({100 * row['difference_low']:+.1f} to {100 * row['difference_high']:+.1f})",
        "p": f"{row['p']:.3g}",
    }


def _paired_area(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "question": row["question"],
        "positives": row["positives"],
        "negatives": row["negatives"],
        "first": f"{row['name']} {row['first']:.3f}",
        "second": f"{row['other_name']} {row['second']:.3f}",
        "difference": ranged(row["difference"], row["low"], row["high"]),
        "p": "–" if row["p"] is None else f"{row['p']:.3g}",
    }


def _subgroup(row: dict[str, Any]) -> dict[str, Any]:
    counts = {name: "suppressed" if row[name] is None else str(row[name]) for name in ("units", "verified")}
    shares = {name: "suppressed" if row[f"{name}_n"] is None else share(row, name) for name in ("sensitivity", "specificity")}
    return _named(row, "subgroup", "subgroup_value") | counts | shares


def _agreement(row: dict[str, Any]) -> dict[str, Any]:
    observed = "–" if row["observed"] is None else f"{100 * row['observed']:.1f} %"
    who = {"reader": row["first"], "with": row["name"], "question": row["question"]}
    kappa = ranged(row["kappa"], row["low"], row["high"])
    return who | {"n": row["n"], "beside": row["beside"], "scores hidden": row["hidden"], "agreed": observed, "kappa": kappa}


def _bin(row: dict[str, Any]) -> dict[str, Any]:
    observed = proportion(row["k"], row["n"], row["observed"], row["low"], row["high"])
    return _named(row) | {"from": row["bin_low"], "to": row["bin_high"], "predicted": row["predicted"], "observed": observed}


if __name__ == "__main__":
    run_command(command)
