"""Rotation of the pseudonym key: which pseudonym of the earlier key is which of the new one.

A pseudonym cannot be turned back, so only who has the PatientIDs and both keys can say which two belong together. The table of pairs
does that without a PatientID. Whoever holds it can follow persons across both keys, so it is kept like a key.
"""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.progress import OnProgress, counter, unwatched
from screening.analytics.columns import find_columns
from screening.analytics.foreign_tables import TextFormat, as_texts, read_cells
from screening.errors import ReferenceTableError, UsageError
from screening.privacy import Pseudonymizer

PAIRS = pa.schema([pa.field("earlier_pseudonym", pa.string(), nullable=False), pa.field("patient_pseudonym", pa.string(), nullable=False)])
_AT_ONCE = 10_000


def pairs_of(
    data: bytes,
    name: str,
    earlier: Pseudonymizer,
    later: Pseudonymizer,
    *,
    id_column: str | None = None,
    form: TextFormat | None = None,
    on_progress: OnProgress = unwatched,
) -> pa.Table:
    """Return PAIRS, one row a person in a CSV or Parquet file with PatientIDs, in an order that says nothing of the file.

    Raises ReferenceTableError where the file has no such column or no identifier, UsageError where both keys are the same.
    """
    if earlier.key == later.key:
        raise UsageError("both pseudonym keys are the same: give the earlier one and the new one")
    table = read_cells(data, name, form)
    taken = find_columns(table.column_names, {} if id_column is None else {"PatientID": id_column}, name, ("PatientID",))
    if "PatientID" not in taken:
        raise ReferenceTableError(
            f"{name} has no column PatientID, but {', '.join(table.column_names)}. Say which holds it: --id-column COLUMN"
        )
    texts = pc.utf8_trim(as_texts(table.select([taken["PatientID"]]))[0], characters=" \0\t\r\n")
    identifiers = sorted({text for text in texts.to_pylist() if text})
    if not identifiers:
        raise ReferenceTableError(f"{name}: every cell of {taken['PatientID']} is empty")
    count, pairs = counter(on_progress, "making pseudonyms", len(identifiers)), []
    for start in range(0, len(identifiers), _AT_ONCE):
        some = identifiers[start : start + _AT_ONCE]
        pairs += [(earlier.pseudonym(value, "PatientID"), later.pseudonym(value, "PatientID")) for value in some]
        count(len(some))
    return pa.table(list(zip(*sorted(pairs), strict=True)), schema=PAIRS)
