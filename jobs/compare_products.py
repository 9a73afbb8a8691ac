"""`screening compare`: two bundles, or two products, on the same people: is the first no worse by more than a margin?"""

from typing import Annotated, Any

import typer

from jobs.analytics_source import (
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
    first: Annotated[str, typer.Option(help="the new one: digest of a bundle or name of a file of cases, or how it begins")] = "",
    second: Annotated[str, typer.Option(help="the one that it is held against")] = "",
    margin: Annotated[
        float | None, typer.Option(help="how much worse the first may be, a share such as 0.05; state it before you look")
    ] = None,
    cluster: Annotated[
        str, typer.Option(help="what is independent: unit, person or site; units of one person or site may be alike")
    ] = "person",
    threshold: Threshold = None,
    unit: Annotated[str, typer.Option(help="unit of analysis: instance, study or patient")] = "patient",
    window_before: WindowBefore = 14,
    window_after: WindowAfter = 21,
    undated: Undated = False,
    repeated: Repeated = "positive",
    indeterminate: Indeterminate = "apart",
    episode_days: EpisodeDays = 90,
    json: Json = False,
) -> None:
    """Test whether a bundle, or a product, is non-inferior to another in sensitivity and specificity, by the people whom both answered.

    Tango's paired score interval; with clusters of persons or sites its counts are divided by the design effect.

    Example:

        screening compare s3://results/nightly --reference rt_pcr.parquet --first 3fa2 --second 90cc --margin 0.05
    """
    from jobs.analytics_source import open_source
    from jobs.display import Steps
    from screening.analytics.comparison import compare
    from screening.analytics.linking import LinkRule
    from screening.errors import UsageError
    from screening.statistics.paired import check_margin

    if not first or not second or margin is None:
        raise UsageError("name the new one, what it is held against and the margin: --first A --second B --margin 0.05")
    check_margin(margin)
    rule = LinkRule(window_before, window_after, undated, repeated, indeterminate, episode_days)
    bundles = None if cases else [first, second]
    options = {"encoding": encoding, "delimiter": delimiter, "threshold": threshold, "verified": True}
    with (
        Steps(err) as steps,
        open_source(results, reference, cases, column, bundles, rule, **options, on_progress=steps.show) as connection,
    ):
        steps.show("comparing", 0, 0)
        answer = compare(connection, first, second, unit, margin=margin, cluster=cluster)
    if json:
        print_json(answer)
    else:
        _print(answer)


def _print(answer: dict[str, Any]) -> None:
    import pyarrow as pa

    from jobs.tables import answer_table

    print_links(answer)
    out.print(
        f"Unit of analysis: {answer['unit']}; independent: each {answer['cluster']}. 95 % intervals in brackets: Wilson's, and Tango's of "
        f"the difference. Margin: {100 * answer['margin']:g} % worse. p is one-sided, to be below 0.025.",
        markup=False,
    )
    rows = [_row(row, answer) for row in answer["rows"]]
    if rows:
        out.print()
        out.print(answer_table(pa.Table.from_pylist(rows), f"Is {answer['first']} non-inferior to {answer['second']}?"))
    else:
        out.print("Both answered no unit in common whose reference standard is known.")


def _row(row: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    from jobs.measure_accuracy import proportion

    shares = {
        answer[name]: proportion(row[f"{name}_k"], row["n"], *(row[f"{name}_{part}"] for part in ("share", "low", "high")))
        for name in ("first", "second")
    }
    limits = "" if row["low"] is None else f" ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    return {
        "question": row["question"],
        "of": row["measure"],
        "clusters": row["clusters"],
        **shares,
        "right alone": f"{row['only_first']} : {row['only_second']}",
        "difference": f"{100 * row['difference']:+.1f} %{limits}",
        "design effect": "–" if row["design_effect"] is None else f"{row['design_effect']:.2f}",
        "p": "–" if row["p"] is None else f"{row['p']:.3g}",
        "non-inferior": {True: "yes", False: "not shown", None: "–"}[row["non_inferior"]],
    }


if __name__ == "__main__":
    run_command(command)
