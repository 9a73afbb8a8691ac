"""Tables of objects with encrypted names, and back: what an index, a plan and rows hold in a run with `encrypt_urls`."""

from collections.abc import Callable

import pyarrow as pa

from screening.privacy import UrlSeal


def sealed(objects: pa.Table, seal: UrlSeal, *, ids: bool = False) -> pa.Table:
    """Return a table with OBJECT_COLUMNS whose object_url is sealed; with `ids` each plain object_id becomes the keyed one, too."""
    hidden = _mapped(objects, "object_url", seal.seal)
    return _mapped(hidden, "object_id", seal.object_id) if ids else hidden


def opened(objects: pa.Table, seal: UrlSeal) -> pa.Table:
    """Return a table with OBJECT_COLUMNS whose object_url is the one that opens the object; its object_id stays keyed."""
    return _mapped(objects, "object_url", seal.open)


def _mapped(table: pa.Table, column: str, change: Callable[[str], str]) -> pa.Table:
    place = table.schema.get_field_index(column)
    values = pa.array([change(value) for value in table.column(place).to_pylist()], pa.string())
    return table.set_column(place, table.schema.field(place), values)
