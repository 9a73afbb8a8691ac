"""`screening pseudonymize`: an agency's table of RT-PCR tests, made ready to be joined with the results."""

from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.analytics_source import Delimiter, Encoding, parse_columns
from jobs.console import err, out, print_json, run_command

UNDATED = (
    "no column with the day of a test was found, so nothing tells which radiographs a test belongs to. Name one: "
    "--column specimen_date=COLUMN or --column result_date=COLUMN"
)


def command(
    table: Annotated[str, typer.Argument(help="CSV or Parquet file or URL with PatientID, result and whatever dates there are")],
    output: Annotated[str, typer.Option(help="write the reference table there as Parquet")],
    key: Annotated[
        Path | None,
        typer.Option(help="file with the key of the pseudonyms, as in the run  [default: SCREENING_PSEUDONYM_KEY_FILE]"),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="the column that holds the PatientID of the DICOM files  [default: PatientID]")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="ours=theirs: what the table calls a column of ours, where it is no usual name; may be repeated"),
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Replace PatientID in a table of RT-PCR tests by the pseudonym that the results have, and drop every column that is not needed.

    Columns kept: symptom_onset_date, specimen_date, result_date, death_date, result, reading, PatientSex. They are found under these and
    other usual names; what was taken for what is printed. Dates and words are read as registries write them, when the table is used; a
    cell that cannot be read is withheld, and counted here.

    Example: screening pseudonymize registry.csv --output reference.parquet --key pseudonym.key
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from jobs.display import Steps
    from jobs.keys import key_of
    from screening import storage
    from screening.analytics.foreign_tables import TextFormat
    from screening.analytics.registry import pseudonymize, read_registry, withheld
    from screening.errors import UsageError
    from screening.privacy import Pseudonymizer

    names, form = parse_columns(column or ()), TextFormat(encoding, delimiter)
    with Steps(err) as steps:
        steps.show("reading the table", 0, 0)
        try:
            data = storage.read_bytes(table)
        except FileNotFoundError:
            raise UsageError(f"{table} does not exist") from None
        registry = read_registry(data, table, names, form, id_column)
        reference = pseudonymize(registry, Pseudonymizer(key_of(key)), steps.show)
    buffer = pa.BufferOutputStream()
    pq.write_table(reference, buffer, compression="zstd")
    storage.put_atomic(output, buffer.getvalue().to_pybytes())
    _report(
        {
            "rows": reference.num_rows,
            "people": len(reference["patient_pseudonym"].unique()),
            "columns": dict(registry.taken),
            "dropped_columns": sorted(registry.dropped),
            "warning": UNDATED if registry.undated else None,
            "withheld": withheld(reference),
            "output": output,
        },
        table,
        json,
    )


def _report(answer: dict[str, Any], table: str, json: bool) -> None:
    if json:
        print_json(answer)
        return
    out.print(f"{answer['rows']:,} tests of {answer['people']:,} people → {answer['output']}", markup=False)
    out.print("columns taken: " + ", ".join(f"{ours} from {theirs}" for ours, theirs in answer["columns"].items()), markup=False)
    if answer["dropped_columns"]:
        out.print(f"dropped columns: {', '.join(answer['dropped_columns'])}", markup=False)
    if answer["withheld"]:
        cells = ", ".join(f"{n:,} of {column}" for column, n in answer["withheld"].items())
        out.print(f"withheld, for they are no date and no known word and could name a patient: {cells}. Mend them in {table}", markup=False)
    if answer["warning"]:
        err.print(f"warning: {answer['warning']}", style="yellow", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_command(command)
