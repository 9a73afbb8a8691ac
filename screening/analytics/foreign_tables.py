"""Tables that others wrote, as CSV or Parquet: registers of tests, reference tables and files of cases, all read by the same rules.

Nothing is guessed. A text file is UTF-8 with commas unless its byte-order mark or the caller says otherwise. A cell of Parquet stands as
its text would in CSV: a whole number that was stored as a float is that number (pandas does so where other rows are empty), and a
timestamp with a time zone is the local time of that zone, so that its day is the one that was written.
"""

import codecs
import csv
import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from screening.errors import ReferenceTableError, UsageError, check_usage
from screening.storage import read_bytes

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_DELIMITERS = {"tab": "\t", "\\t": "\t"}
_MAX_WHOLE = 2.0**53  # floats above it have lost digits
_NAMES = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
_ONE_CHARACTER = "--delimiter is one character, or tab"


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written: None takes what its byte-order mark says, else UTF-8; and commas."""

    encoding: str | None = None  # a name that Python knows: big5, gb18030, utf-16-le, cp1252
    delimiter: str | None = None  # one character, or tab

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise UsageError(f"--encoding {self.encoding}: no such encoding; for example big5, gb18030, utf-16-le or cp1252") from None
        if self.delimiter is not None:
            check_usage(len(_DELIMITERS.get(self.delimiter, self.delimiter)) == 1, _ONE_CHARACTER)
            check_usage(self.delimiter not in '"\r\n', _ONE_CHARACTER)

    @property
    def character(self) -> str:
        """The delimiter."""
        return "," if self.delimiter is None else _DELIMITERS.get(self.delimiter, self.delimiter)


def read_foreign(url: str, form: TextFormat | None = None) -> tuple[pa.Table, bytes]:
    """Return a table that others wrote, and the bytes of its file.

    Cells of CSV are texts, empty ones null; those of Parquet have the types of `plain_cells`. Raises FileNotFoundError, and
    ReferenceTableError naming the file, the row where there is one (the first after the header is 1), and the remedy; never a value.
    """
    data = read_bytes(url)
    return read_cells(data, url, form), data


def read_cells(data: bytes, name: str, form: TextFormat | None = None) -> pa.Table:
    """Return the table that the bytes of a file hold: see `read_foreign`. `name` stands in messages."""
    if data[:4] == b"PAR1" or name.lower().endswith(".parquet"):
        try:
            table = pq.read_table(io.BytesIO(data))
        except pa.ArrowInvalid:
            raise ReferenceTableError(f"{name}: damaged, cut or no Parquet; write it again") from None
    elif data[:4] == b"PK\x03\x04":
        raise ReferenceTableError(f"{name} is a workbook or a zip file: save its sheet as CSV in UTF-8, or as Parquet")
    else:
        table = _read_text(_decoded(data, name, form or TextFormat()), name, form or TextFormat())
    twice = sorted({column for column in table.column_names if table.column_names.count(column) > 1})
    if twice:
        raise ReferenceTableError(f"{name} has two columns of the name {twice[0]}: rename one of them")
    return plain_cells(table, name)


def plain_cells(table: pa.Table, name: str) -> pa.Table:
    """Return a table whose cells read as texts of the same day and number would: see the head of this module.

    Timestamps with a zone become timestamps of its local time, floats and decimals that are all whole become integers, NaN null.
    Raises ReferenceTableError for a column that is no column of cells (a list, a struct), naming it.
    """
    for index, field in enumerate(table.schema):
        values = _plain(table.column(index), f"{name}: column {field.name}")
        if values is not table.column(index):
            table = table.set_column(index, field.name, values)
    return table


def as_texts(table: pa.Table) -> pa.Table:
    """Return the cells of `plain_cells` as texts."""
    return pa.table({field.name: pc.cast(table[field.name], pa.string()) for field in table.schema})


def _plain(values: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _plain(values.cast(kind.value_type), where)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise ReferenceTableError(f"{where} holds {kind} values, not cells of text, numbers or dates; leave it out or write it as text")
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        try:
            return pc.local_timestamp(values)
        except pa.ArrowInvalid:
            raise ReferenceTableError(f"{where}: this machine does not know the time zone {kind.tz}; write local times") from None
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64())
        known = pc.if_else(pc.is_nan(numbers), None, numbers)
        whole = pc.all(pc.and_(pc.equal(known, pc.floor(known)), pc.less(pc.abs(known), _MAX_WHOLE))).as_py()
        return known.cast(pa.int64()) if whole in (None, True) else known
    return values


def _decoded(data: bytes, name: str, form: TextFormat) -> str:
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    encoding = form.encoding or _MARKS.get(mark, "utf-8")
    try:
        text = data.removeprefix(mark).decode(encoding) if not form.encoding else data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        row = _row_at(data[: error.start])
        remedy = "give the right one" if form.encoding else f"give --encoding{_likely(data)}, or save it as UTF-8"
        raise ReferenceTableError(f"{name} is neither Parquet nor text in {encoding}: {row} does not decode; {remedy}") from None
    if "\0" in text:
        row = _row_at(text[: text.index("\0")].encode())
        raise ReferenceTableError(
            f"{name}: {row} has null bytes, so it is no text in {encoding}; try --encoding utf-16-le, or save it as UTF-8"
        )
    return text if "\n" in text else text.replace("\r", "\n")  # old Macs end a line so


def _likely(data: bytes) -> str:
    """Return which encodings of CSV files decode all bytes, in words; empty where none does."""
    fitting = []
    for encoding in ("big5", "cp950", "gb18030", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        fitting.append(encoding)
    return f" (it decodes as {' or '.join(fitting)})" if fitting else ""


def _row_at(before: bytes) -> str:
    row = before.count(b"\n") or before.count(b"\r")
    return f"row {row}" if row else "the header line"


def _read_text(text: str, name: str, form: TextFormat) -> pa.Table:
    header, lines_of_header, has_rows = _header_of(text, name, form)
    if not has_rows:
        return pa.table({column: pa.array([], pa.string()) for column in header})
    try:
        return pa_csv.read_csv(
            io.BytesIO(text.encode()),
            pa_csv.ReadOptions(column_names=header, skip_rows=lines_of_header, block_size=1 << 24),
            pa_csv.ParseOptions(delimiter=form.character, newlines_in_values='"' in text),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]),
        )
    except pa.ArrowInvalid:
        raise ReferenceTableError(f"{name} is neither Parquet nor CSV{_uneven_row(text, form)}") from None


def _header_of(text: str, name: str, form: TextFormat) -> tuple[list[str], int, bool]:
    """Return the names of the columns, how many lines they take, and whether rows follow."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=form.character)
    try:
        header = [cell.strip() for cell in next(lines, [])]
        lines_of_header, has_rows = lines.line_num, any(lines)
    except csv.Error:
        raise ReferenceTableError(f"{name} is neither Parquet nor CSV: a quote is not closed, or a cell is far too long") from None
    if not any(header):
        raise ReferenceTableError(f"{name} is empty, so it is neither Parquet nor CSV with a header line")
    others = [character for character in _NAMES if character != form.character]
    found = next((character for character in others if len(header) == 1 and character in header[0]), None)
    if found is not None:
        say = "tab" if found == "\t" else f"'{found}'"
        raise ReferenceTableError(f"{name}: its header line is one column with {_NAMES[found]} in it; give --delimiter {say}")
    return header, lines_of_header, has_rows


def _uneven_row(text: str, form: TextFormat) -> str:
    """Return which row has another number of cells than the header, and what to try."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=form.character)
    columns = len(next(lines))
    for row, cells in enumerate(lines, 1):
        if cells and len(cells) != columns:
            remedy = "put quotes around cells with the delimiter in them, or give the right --delimiter"
            return f": row {row} has {len(cells)} cells for {columns} columns; {remedy}"
    return " with a header line and equally long rows"
