"""Tables that others wrote: encodings, delimiters and line ends, the types of Parquet, and errors that name the row and what to try."""

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from screening.analytics.foreign_tables import TextFormat, as_texts, plain_cells, read_cells, read_foreign
from screening.errors import ReferenceTableError, UsageError

TEXT = 'nr,結果,note\n007,陽性,"a,b\nc"\n008,,x\n'
ROWS = [{"nr": "007", "結果": "陽性", "note": "a,b\nc"}, {"nr": "008", "結果": None, "note": "x"}]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (TEXT.encode(), TextFormat()),
        (TEXT.encode("utf-8-sig"), TextFormat()),
        (TEXT.encode("utf-16"), TextFormat()),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), TextFormat()),
        (TEXT.encode("utf-16-le"), TextFormat("utf-16-le")),
        (TEXT.encode("utf-16"), TextFormat("utf-16")),
        (TEXT.encode("big5"), TextFormat("big5")),
        (TEXT.encode("gb18030"), TextFormat("GB18030")),
        (TEXT.replace("\n", "\r\n").replace("b\r\nc", "b\nc").encode(), TextFormat()),
        (TEXT.replace(",", ";").replace("a;b", "a,b").encode(), TextFormat(delimiter=";")),
        (TEXT.replace(",", "\t").replace("a\tb", "a,b").encode(), TextFormat(delimiter="tab")),
        (TEXT.replace("\n", "\r").encode(), TextFormat()),
    ],
    ids=[
        "utf-8",
        "its mark",
        "utf-16",
        "big-endian",
        "no mark",
        "mark and name",
        "big5",
        "gb18030",
        "windows",
        "semicolons",
        "tabs",
        "mac",
    ],
)
def test_a_text_is_read_as_it_is_written(data: bytes, form: TextFormat) -> None:
    assert read_cells(data, "t.csv", form).to_pylist() == ROWS


@pytest.mark.parametrize(
    ("data", "form", "message"),
    [
        (TEXT.encode("big5"), TextFormat(), r"t\.csv is neither.*in utf-8: the header line does not decode; give --encoding \(.*big5 or"),
        (b"nr,name\n1,a\n2,Sm\xefTH\n", TextFormat(), r"in utf-8: row 2 does not decode; give --encoding .*cp1252"),
        (TEXT.encode(), TextFormat("ascii"), "in ascii: the header line does not decode; give the right one"),
        (TEXT.encode("utf-16-le"), TextFormat("cp1252"), "null bytes.*--encoding utf-16-le"),
        (b"nr,name\n1,a\0b\n", TextFormat(), "row 1 has null bytes"),
        (b"nr;name\n1;SMITH\n", TextFormat(), "one column with semicolons in it; give --delimiter ';'"),
        (b"nr\tname\n1\tSMITH\n", TextFormat(), "with tabs in it; give --delimiter tab"),
        (b"nr,name\n1,SMITH\n", TextFormat(delimiter=";"), "with commas in it; give --delimiter ','"),
        (b"nr,name\n1,SMITH\n2,a,b\n", TextFormat(), "row 2 has 3 cells for 2 columns; put quotes around"),
        (b"nr,name\n1,SMITH\n2\n", TextFormat(), "row 2 has 1 cells for 2 columns"),
        (b"nr,nr\n1,SMITH\n", TextFormat(), "two columns of the name nr: rename"),
        (b"", TextFormat(), "t.csv is empty"),
        (b"PK\x03\x04xl", TextFormat(), "a workbook or a zip file: save its sheet as CSV in UTF-8"),
        (b"PAR1 no more", TextFormat(), "damaged, cut or no Parquet"),
    ],
)
def test_what_is_wrong_is_named_with_the_row_and_the_remedy(data: bytes, form: TextFormat, message: str) -> None:
    with pytest.raises(ReferenceTableError, match=message) as caught:
        read_cells(data, "t.csv", form)
    assert "SMITH" not in str(caught.value)


def test_a_header_alone_has_no_rows() -> None:
    assert read_cells(b"nr,name\n", "t").num_rows == 0
    assert read_cells(b" nr ,name", "t").column_names == ["nr", "name"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"encoding": "big6"}, "--encoding big6: no such encoding; for example big5"),
        ({"delimiter": ";;"}, "--delimiter is one character, or tab"),
        ({"delimiter": ""}, "--delimiter is one"),
        ({"delimiter": '"'}, "--delimiter is one"),
    ],
)
def test_formats_that_are_none(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TextFormat(**wrong)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([7.0, None, 8.0]), ["7", None, "8"]),
        (pa.array([7.0, float("nan")]), ["7", None]),
        (pa.array([0.5, 1.0]), ["0.5", "1"]),
        (pa.array([Decimal("7.00")]), ["7"]),
        (pa.array([7]), ["7"]),
        (pa.array(["007"]).dictionary_encode(), ["007"]),
        (pa.array([True]), ["true"]),
        (pa.array([date(2020, 3, 4)]), ["2020-03-04"]),
        (pa.array([datetime(2020, 3, 4, 1)]), ["2020-03-04 01:00:00.000000"]),
        (pa.array([datetime(2020, 3, 3, 19)], pa.timestamp("ms", "Asia/Taipei")), ["2020-03-04 03:00:00.000"]),
        (pa.array([datetime(2020, 3, 4, 3)], pa.timestamp("s", "-05:00")), ["2020-03-03 22:00:00.000"]),
        (pa.nulls(1), [None]),
    ],
)
def test_cells_of_parquet_read_as_texts_would(values: pa.Array, texts: list[str | None]) -> None:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": values}), buffer)
    assert as_texts(read_cells(buffer.getvalue(), "t"))["x"].to_pylist() == texts


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"bytes"])
def test_columns_that_hold_no_cells_are_named(value: Any) -> None:
    with pytest.raises(ReferenceTableError, match=r"t: column odd holds .* values, not cells of text, numbers or dates"):
        plain_cells(pa.table({"odd": [value]}), "t")


def test_a_store_gives_the_table_and_its_bytes(s3_bucket: str) -> None:
    from screening.storage import put_atomic

    put_atomic(f"{s3_bucket}/t.csv", TEXT.encode())
    table, data = read_foreign(f"{s3_bucket}/t.csv")
    assert (table.to_pylist(), data) == (ROWS, TEXT.encode())
