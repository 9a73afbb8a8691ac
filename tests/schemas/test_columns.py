"""Every column of every table documents itself, and written Parquet carries that documentation."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.columns import column, description_of, table_schema, unit_of, version_of
from schemas.heatmap import HEATMAP_SCHEMA
from schemas.index import INDEX_SCHEMA, PLAN_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reference import REFERENCE_SCHEMA

SCHEMAS = {
    "index": INDEX_SCHEMA,
    "plan": PLAN_SCHEMA,
    "instance": INSTANCE_SCHEMA,
    "heatmap": HEATMAP_SCHEMA,
    "reference": REFERENCE_SCHEMA,
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_column_has_a_description_and_names_are_unique(name: str) -> None:
    schema = SCHEMAS[name]
    assert all(description_of(field) for field in schema)
    assert len(set(schema.names)) == len(schema.names)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_column_whose_name_ends_in_a_unit_says_the_unit(name: str) -> None:
    for field in SCHEMAS[name]:
        for ending in ("years", "bytes"):
            if field.name.endswith(f"_{ending}"):
                assert unit_of(field) == ending


def test_parquet_carries_descriptions_and_version() -> None:
    buffer = io.BytesIO()
    pq.write_table(INSTANCE_SCHEMA.empty_table(), buffer)
    read = pq.read_schema(pa.BufferReader(buffer.getvalue()))
    assert read.equals(INSTANCE_SCHEMA, check_metadata=True)
    assert version_of(read) == 2


def test_what_a_column_says_of_itself() -> None:
    field = column("decode_ms", pa.float32(), "reading and decoding", "milliseconds", nullable=False)
    assert (description_of(field), unit_of(field), field.nullable) == ("reading and decoding", "milliseconds", False)
    assert (description_of(pa.field("bare", pa.int8())), unit_of(pa.field("bare", pa.int8()))) == ("", "")


def test_a_schema_knows_its_version_and_a_strange_one_has_none() -> None:
    assert version_of(table_schema("made", 3, [pa.field("a", pa.int8())])) == 3
    with pytest.raises(KeyError):
        version_of(pa.schema([pa.field("a", pa.int8())]))
