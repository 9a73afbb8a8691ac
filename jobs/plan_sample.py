"""`screening sample-size`: how many persons a study of accuracy needs."""

from typing import Annotated

import typer

from jobs.analytics_source import Json
from jobs.console import out, print_json, run_command


def command(
    sensitivity: Annotated[float, typer.Option(help="expected sensitivity, in (0, 1)")],
    specificity: Annotated[float, typer.Option(help="expected specificity, in (0, 1)")],
    prevalence: Annotated[float, typer.Option(help="share of cases among those who will be verified, in (0, 1)")],
    precision: Annotated[float, typer.Option(help="half the width of the 95 % interval, at most")] = 0.05,
    json: Json = False,
) -> None:
    """Tell how many persons must have a reference standard, so that the intervals of sensitivity and specificity are narrow enough.

    By Buderer's formula (1996), and for the Wilson interval that this software gives. Unverified persons come on top.

    Example:

        screening sample-size --sensitivity 0.90 --specificity 0.70 --prevalence 0.05 --precision 0.03
    """
    from screening.analytics.sample_size import plan_sample

    rows = plan_sample(sensitivity, specificity, prevalence, precision)
    needed = max(row["wilson_verified"] for row in rows)
    if json:
        print_json({"prevalence": prevalence, "precision": precision, "rows": rows, "verified": needed})
        return
    import pyarrow as pa

    from jobs.tables import answer_table

    shown = [
        {
            "95 % interval of": f"{row['of']} {100 * row['expected']:g} % ± {100 * precision:g} %",
            "persons": "with the disease" if row["of"] == "sensitivity" else "without it",
            "Wilson": f"{row['wilson']:,}",
            "so verified": f"{row['wilson_verified']:,}",
            "Buderer": f"{row['buderer']:,}",
            "so verified ": f"{row['buderer_verified']:,}",
        }
        for row in rows
    ]
    out.print(answer_table(pa.Table.from_pylist(shown), f"Persons that are needed at a prevalence of {100 * prevalence:g} %"))
    out.print(f"{needed:,} verified persons are expected to suffice for both.")


if __name__ == "__main__":
    run_command(command)
