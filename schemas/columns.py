"""How a column is declared, so that each one carries its own documentation into every Parquet file."""

from collections.abc import Sequence

import pyarrow as pa

SCHEMA_NAME_KEY = b"screening.schema"
SCHEMA_VERSION_KEY = b"screening.schema_version"


def column(name: str, type: pa.DataType, description: str, unit: str = "", nullable: bool = True) -> pa.Field:
    """Return a field whose metadata holds `description` and `unit` (empty where the value has none)."""
    return pa.field(name, type, nullable, {"description": description, "unit": unit})


def table_schema(name: str, version: int, columns: Sequence[pa.Field]) -> pa.Schema:
    """Return a schema that names itself and its version in the file's metadata."""
    return pa.schema(columns, {SCHEMA_NAME_KEY: name.encode(), SCHEMA_VERSION_KEY: str(version).encode()})


def description_of(field: pa.Field) -> str:
    """Return the description that `column` stored in the field."""
    return (field.metadata or {}).get(b"description", b"").decode()


def unit_of(field: pa.Field) -> str:
    """Return the unit that `column` stored in the field, empty where it has none."""
    return (field.metadata or {}).get(b"unit", b"").decode()


def version_of(schema: pa.Schema) -> int:
    """Return the version that `table_schema` stored; raises KeyError where the schema is not one of ours."""
    return int((schema.metadata or {})[SCHEMA_VERSION_KEY])
