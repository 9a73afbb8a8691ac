"""Every column documents itself, and written Parquet carries that documentation."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.bundle import BundleManifest, Network, OperatingPoint
from schemas.columns import description_of, unit_of, version_of
from schemas.heatmap import HEATMAP_SCHEMA, URL_COLUMN, HeatmapKind
from schemas.index import INDEX_SCHEMA, PLAN_SCHEMA
from schemas.instance import INSTANCE_SCHEMA
from schemas.reasons import Outcome, Reason
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
    assert version_of(read) == 1


def test_reasons_lead_to_a_refusal_and_say_why() -> None:
    for reason in Reason:
        assert reason.outcome in (Outcome.REJECTED, Outcome.FAILED)
        assert len(reason.description) > 20
        assert Reason(str(reason)) is reason


def test_every_heatmap_kind_has_its_column() -> None:
    assert set(URL_COLUMN) == set(HeatmapKind)
    assert set(URL_COLUMN.values()) <= set(INSTANCE_SCHEMA.names)


def test_the_digest_of_a_bundle_changes_with_every_fact() -> None:
    network = Network(architecture="unet", input_size=256, file="lungs.safetensors", sha256="0" * 64)
    point = OperatingPoint(threshold=0.5, rule="none", data="none")
    manifest = BundleManifest(name="a", networks={"lungs": network}, operating_points={"covid": point})
    other = manifest.model_copy(update={"operating_points": {"covid": point.model_copy(update={"threshold": 0.51})}})
    assert manifest.digest() != other.digest()
    assert BundleManifest.model_validate_json(manifest.model_dump_json()).digest() == manifest.digest()
