"""`screening pseudonymize`: an agency's table of RT-PCR tests, made ready to be joined with the results."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.console import err, out, print_json, run_command


def command(
    table: Annotated[str, typer.Argument(help="CSV or Parquet file or URL with PatientID, result and whatever dates there are")],
    output: Annotated[str, typer.Option(help="write the reference table there as Parquet")],
    key: Annotated[
        Path | None,
        typer.Option(help="file with the key of the pseudonyms, as in the run  [default: SCREENING_PSEUDONYM_KEY_FILE]"),
    ] = None,
    id_column: Annotated[str, typer.Option(help="the column that holds the PatientID of the DICOM files")] = "PatientID",
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Replace PatientID in a table of RT-PCR tests by the pseudonym that the results have, and drop every column that is not needed.

    Columns kept: symptom_onset_date, specimen_date, result_date, death_date, result, reading, PatientSex. Dates and words are read as
    registries write them, when the table is used; a cell that cannot be read is withheld, and counted here.

    Example: screening pseudonymize registry.csv --output reference.parquet --key pseudonym.key
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from jobs.display import Steps
    from jobs.keys import key_of
    from schemas.reference import REFERENCE_SCHEMA
    from screening import storage
    from screening.analytics.registry import pseudonymize, read_registry, withheld
    from screening.errors import UsageError
    from screening.privacy import Pseudonymizer

    with Steps(err) as steps:
        steps.show("reading the table", 0, 0)
        try:
            data = storage.read_bytes(table)
        except FileNotFoundError:
            raise UsageError(f"{table} does not exist") from None
        texts = read_registry(data, table)
        reference = pseudonymize(texts, Pseudonymizer(key_of(key)), table, id_column, steps.show)
    buffer = pa.BufferOutputStream()
    pq.write_table(reference, buffer, compression="zstd")
    storage.put_atomic(output, buffer.getvalue().to_pybytes())
    dropped = sorted(set(texts.columns) - {id_column} - set(REFERENCE_SCHEMA.names))
    people = len(reference["patient_pseudonym"].unique())
    hidden = withheld(reference)
    if json:
        print_json({"rows": reference.num_rows, "people": people, "dropped_columns": dropped, "withheld": hidden, "output": output})
    else:
        out.print(f"{reference.num_rows:,} tests of {people:,} people → {output}", markup=False)
        if dropped:
            out.print(f"dropped columns: {', '.join(dropped)}", markup=False)
        if hidden:
            cells = ", ".join(f"{n:,} of {column}" for column, n in hidden.items())
            out.print(
                f"withheld, for they are no date and no known word and could name a patient: {cells}. Mend them in {table}", markup=False
            )


if __name__ == "__main__":
    run_command(command)
