"""`screening sites`: how accuracy and calibration differ between sites, and what to expect of a further one."""

from typing import Annotated, Any

import typer

from jobs.analytics_source import (
    Bundles,
    CasesFiles,
    Columns,
    Delimiter,
    Encoding,
    EpisodeDays,
    Indeterminate,
    Json,
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


def command(
    results: Results = None,
    reference: Reference = None,
    cases: CasesFiles = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    bundle: Bundles = None,
    threshold: Threshold = None,
    by: Annotated[str, typer.Option(help="what is compared: site, vendor, view or sex")] = "site",
    unit: Annotated[str, typer.Option(help="unit of analysis: instance, study or patient")] = "patient",
    min_cell: Annotated[int, typer.Option(min=1, help="cells of sites with fewer units are not shown, nor pooled; 1 shows all")] = 5,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Compare sites: sensitivity and specificity by random effects with a prediction interval for a further site, and calibration.

    Calibration is a slope and an intercept with their intervals and the expected calibration error, everywhere and by site.

    Example:

        screening sites s3://results/nightly --reference rt_pcr.parquet
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics.linking import LinkRule
    from screening.analytics.sites import measure_sites

    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    source = (results, reference, cases, column, bundle, rule)
    options = {"encoding": encoding, "delimiter": delimiter, "threshold": threshold, "verified": True}
    with Steps(err) as steps, open_source(*source, **options, on_progress=steps.show) as connection:
        answer = measure_sites(connection, unit, by=by, min_cell=min_cell, on_progress=steps.show)
    if json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: dict[str, Any]) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table

    print_links(answer)
    out.print(f"Unit of analysis: {answer['unit']}. 95 % intervals in brackets.")
    by = answer["by"]
    for title, rows in {
        f"Random effects over each {by} (REML on logits; Hartung and Knapp), and what to expect of a further {by}": [
            _pooled(row) for row in answer["random_effects"]
        ],
        f"By {by} (fewer than {answer['min_cell']} units of a kind are suppressed)": [_site(row, by) for row in answer["sites"]],
        "Calibration: slope 1 and intercept 0 are right; expected calibration error over ten equal steps": [
            _calibration(row, by) for row in answer["calibration"]
        ],
    }.items():
        if rows:
            out.print()
            out.print(answer_table(pa.Table.from_pylist(rows), title))


def _pooled(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import ranged

    predicted = "–" if row["prediction_low"] is None else f"{row['prediction_low']:.3f} to {row['prediction_high']:.3f}"
    return {
        "name": row["name"],
        "question": row["question"],
        "of": row["measure"],
        "pooled": row["places"],
        "hidden": row["hidden"],
        "mean": ranged(row["mean"], row["low"], row["high"]),
        "95 % prediction interval": predicted,
        "tau (logits)": ranged(row["tau"], None, None),
        "I²": "–" if row["i_squared"] is None else f"{100 * row['i_squared']:.0f} %",
    }


def _site(row: dict[str, Any], by: str) -> dict[str, Any]:
    from jobs.measure_accuracy import share

    shares = {name: "suppressed" if row[f"{name}_n"] is None else share(row, name) for name in ("sensitivity", "specificity")}
    return {"name": row["name"], "question": row["question"], by: row["subgroup_value"]} | shares


def _calibration(row: dict[str, Any], by: str) -> dict[str, Any]:
    from jobs.measure_accuracy import ranged

    figures = {name: ranged(*(row[f"{name}{part}"] for part in ("", "_low", "_high")), 2) for name in ("slope", "intercept")}
    errors = {"ECE": ranged(row["ece"], None, None), "by chance up to": ranged(row["ece_by_chance_high"], None, None)}
    return {"name": row["name"], "question": row["question"], by: row["site"]} | figures | errors


if __name__ == "__main__":
    run_command(command)
