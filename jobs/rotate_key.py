"""`screening rotate-key`: which pseudonym of the earlier key is which of the new one."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.analytics_source import Delimiter, Encoding
from jobs.console import err, out, print_json, run_command


def command(
    table: Annotated[str, typer.Argument(help="CSV or Parquet file or URL with the PatientID of every person")],
    earlier_key: Annotated[Path, typer.Option(help="file with the key that the results so far were made with")],
    output: Annotated[str, typer.Option(help="write the pairs there as Parquet, and keep the file like a key")],
    key: Annotated[
        Path | None, typer.Option(help="file with the new key  [default: SCREENING_PSEUDONYM_KEY_FILE, SCREENING_PSEUDONYM_KEY]")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="the column that holds the PatientID of the DICOM files  [default: PatientID]")
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Write the pseudonyms of each person under an earlier key and under a new one, so that results of both can be linked.

    Columns: earlier_pseudonym, patient_pseudonym. No PatientID is written. After that begin a new results folder with the new key.

    Example: screening rotate-key people.csv --earlier-key 2020.key --key 2021.key --output pairs.parquet
    """
    import io

    import pyarrow.parquet as pq

    from jobs.display import Steps
    from screening import storage
    from screening.analytics.foreign_tables import TextFormat
    from screening.analytics.key_rotation import pairs_of
    from screening.errors import UsageError
    from screening.privacy import Pseudonymizer, key_id_of, load_key

    earlier, later = load_key(earlier_key), load_key(key)
    try:
        data = storage.read_bytes(table)
    except FileNotFoundError:
        raise UsageError(f"{table} does not exist") from None
    with Steps(err) as steps:
        pairs = pairs_of(
            data,
            table,
            Pseudonymizer(earlier),
            Pseudonymizer(later),
            id_column=id_column,
            form=TextFormat(encoding, delimiter),
            on_progress=steps.show,
        )
    buffer = io.BytesIO()
    pq.write_table(pairs, buffer, compression="zstd")
    storage.put_atomic(output, buffer.getvalue())
    said = {"people": pairs.num_rows, "earlier_key_id": key_id_of(earlier), "key_id": key_id_of(later), "output": output}
    if json:
        print_json(said)
    else:
        out.print(f"{said['people']} people: key {said['earlier_key_id']} to key {said['key_id']} in {output}", markup=False)


if __name__ == "__main__":
    run_command(command)
