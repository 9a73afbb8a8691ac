"""Heatmaps: a column and a member name for every kind."""

from schemas.heatmap import URL_COLUMN, HeatmapKind, member_name
from schemas.instance import INSTANCE_SCHEMA


def test_every_heatmap_kind_has_its_column() -> None:
    assert set(URL_COLUMN) == set(HeatmapKind)
    assert set(URL_COLUMN.values()) <= set(INSTANCE_SCHEMA.names)


def test_members_of_an_object_have_names_of_their_own() -> None:
    names = {member_name("00ff", kind) for kind in HeatmapKind}
    assert names == {"00ff.lungs.png", "00ff.pneumonia.png", "00ff.covid.png", "00ff.guided.png"}
