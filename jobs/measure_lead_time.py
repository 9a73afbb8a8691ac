"""`screening lead-time`: how long before RT-PCR confirmation the cascade found its cases, and at what price."""

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

SHOWN_DAYS = 12


def command(
    results: Results = None,
    reference: Reference = None,
    cases: CasesFiles = None,
    column: Columns = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    bundle: Bundles = None,
    threshold: Threshold = None,
    days: Annotated[list[int] | None, typer.Option(help="at least that many days before confirmation; may be repeated  [1, 2, 5]")] = None,
    persons: Annotated[int, typer.Option(min=0, help="longest lead times to list one by one; --json lists as many")] = 10,
    min_cell: Annotated[int, typer.Option(min=1, help="bands of onset with fewer persons are not shown; 1 shows all")] = 5,
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Count the persons whom the cascade found days before their RT-PCR confirmation, by days since onset, beside its false alerts.

    Lead time: days from the first positive radiograph to the confirmation of the same episode of the person. A missed person has none.

    Example:

        screening lead-time s3://results/nightly --reference rt_pcr.parquet --days 2 --days 5
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics.lead_time import measure_lead_time
    from screening.analytics.linking import LinkRule

    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    source = (results, reference, cases, column, bundle)
    options = {"encoding": encoding, "delimiter": delimiter, "threshold": threshold, "verified": True}
    with Steps(err) as steps, open_source(*source, rule, **options, on_progress=steps.show) as connection:
        steps.show("lead times", 0, 0)
        answer = measure_lead_time(connection, tuple(days or (1, 2, 5)), persons=persons, min_cell=min_cell)
    if json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: dict[str, Any]) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table

    print_links(answer)
    out.print("Unit of analysis: patient. Shares are of all confirmed persons with a scored radiograph; 95 % Wilson intervals.")
    for title, rows in {
        "Detected at least that many days before confirmation": [_summary(row) for row in answer["summary"]],
        "When the first positive radiograph was taken": [_timing(row) for row in answer["timing"]],
        "False alerts: RT-PCR negative persons called positive": [_alerts(row) for row in answer["false_alerts"]],
        f"By days since onset (fewer than {answer['min_cell']} persons are suppressed)": [_onset(row) for row in answer["by_onset"]],
        "Lead time of at least so many days (Kaplan and Meier; Greenwood's interval by log-log), of all confirmed and of those found": [
            _lasting(row) for row in _thinned(answer["curve"])
        ],
        "Sensitivity of one radiograph by days since onset, smoothed (logistic curve with its pointwise 95 % band, by person)": [
            _since_onset(row) for row in _thinned(answer["onset_curve"])
        ],
        "Longest lead times": [_person(row) for row in answer["longest"]],
    }.items():
        if rows:
            out.print()
            out.print(answer_table(pa.Table.from_pylist(rows), title))


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import proportion

    share = proportion(row["k"], row["n"], row["share"], row["low"], row["high"])
    return {"name": row["name"], "days": row["days"], "share": share} | {
        column: row[column] for column in ("detected", "detected_after", "dates_missing")
    }


def _timing(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import proportion

    share = proportion(row["k"], row["n"], row["share"], row["low"], row["high"])
    return {"name": row["name"], "first positive radiograph": row["timing"], "share": share, "radiographs after": row["radiographs_after"]}


def _alerts(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import share

    return {"name": row["name"], "share": share(row, "false_alerts")}


def _onset(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import proportion

    share = "suppressed" if row["suppressed"] else proportion(row["k"], row["n"], row["share"], row["low"], row["high"])
    return {"name": row["name"], "days since onset": row["onset"], "days": row["days"], "share": share, "detected": row["detected"]}


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of each curve every so many-th day, so that about SHOWN_DAYS are left; --json and `screening tables` have all."""
    series: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        series.setdefault((row["name"], row.get("population")), []).append(row)
    return [row for days in series.values() for row in days[:: -(-len(days) // SHOWN_DAYS)]]


def _lasting(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import ranged

    share = ranged(row["share"], row["low"], row["high"])
    return {"name": row["name"], "of": row["population"], "days": row["days"], "at risk": row["at_risk"], "share": share}


def _since_onset(row: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import ranged

    return {
        "name": row["name"],
        "days since onset": row["days"],
        "sensitivity": ranged(row["share"], row["low"], row["high"]),
        "logit": row["form"],
    }


def _person(row: dict[str, Any]) -> dict[str, Any]:
    columns = ("patient_pseudonym", "lead_days", "symptom_onset_date", "first_positive_date", "confirmation_date")
    return {"name": row["name"]} | {column: row[column] for column in columns}


if __name__ == "__main__":
    run_command(command)
