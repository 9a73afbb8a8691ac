"""The tables that travel between the tasks of a run end in the columns of an instance."""

from schemas.columns import description_of
from schemas.heatmap import HeatmapKind
from schemas.instance import INSTANCE_SCHEMA
from screening.shard.tables import DECODED_SCHEMA, SCORED_SCHEMA

ON_THE_WAY = {"pixels", "decode_ms", "cascade_ms", *(f"{kind}_map" for kind in HeatmapKind)}
BY_THE_WRITER = {"bundle_digest", "screen_date", "lung_mask_url", "pneumonia_heatmap_url", "covid_heatmap_url", "covid_guided_url"}


def test_what_is_scored_is_an_instance_but_for_what_the_writer_adds() -> None:
    assert set(SCORED_SCHEMA.names) - ON_THE_WAY == set(INSTANCE_SCHEMA.names) - BY_THE_WRITER
    for field in SCORED_SCHEMA:
        if field.name in INSTANCE_SCHEMA.names:
            assert field.type == INSTANCE_SCHEMA.field(field.name).type, field.name


def test_what_is_decoded_is_scored_but_for_its_pixels() -> None:
    assert set(DECODED_SCHEMA.names) - set(SCORED_SCHEMA.names) == {"pixels"}
    for schema in (DECODED_SCHEMA, SCORED_SCHEMA):
        assert len(set(schema.names)) == len(schema.names)
        assert all(description_of(field) for field in schema)
