"""What decides a row: every field of it changes the digest, which is part of each shard's name."""

import dataclasses
import json
from datetime import date
from typing import Any

import pytest

from screening.dicom.limits import Limits
from screening.errors import UsageError
from screening.ingest.config import IngestConfig
from screening.shard.config import RowConfig

CONFIG = RowConfig(date(2020, 3, 1))
OTHER = {"screen_date": date(2020, 3, 2), "audit_fraction": 0.5, "heatmaps": "all", "dtype": "float32"}  # where one more will not do


def another(value: Any) -> Any:
    """Return a value of the same type that is not this one."""
    if dataclasses.is_dataclass(value):
        first = dataclasses.fields(value)[0].name
        return dataclasses.replace(value, **{first: another(getattr(value, first))})
    if isinstance(value, tuple):
        return (*value, ("InstitutionName", "North"))
    return not value if isinstance(value, bool) else value + 1


def changed_configs() -> dict[str, RowConfig]:
    """Return field → CONFIG with that field changed, those of ingest and its limits among them."""
    fields = {field.name: OTHER.get(field.name) or another(getattr(CONFIG, field.name)) for field in dataclasses.fields(RowConfig)}
    configs = {name: dataclasses.replace(CONFIG, **{name: value}) for name, value in fields.items() if name != "ingest"}
    for part, owner in (("ingest", IngestConfig), ("limits", Limits)):
        for field in dataclasses.fields(owner):
            own = CONFIG.ingest if part == "ingest" else CONFIG.ingest.limits
            own = dataclasses.replace(own, **{field.name: another(getattr(own, field.name))})
            ingest = own if part == "ingest" else dataclasses.replace(CONFIG.ingest, limits=own)
            configs[f"{part}.{field.name}"] = dataclasses.replace(CONFIG, ingest=ingest)
    return configs


CHANGED = changed_configs()


def test_every_field_is_changed_below() -> None:
    assert all(config != CONFIG for config in CHANGED.values())
    assert len(set(CHANGED.values())) == len(CHANGED) - 1  # `ingest.limits` is the first field of the limits


@pytest.mark.parametrize("name", CHANGED)
def test_every_field_changes_the_digest(name: str) -> None:
    assert CHANGED[name].digest("bundle", "key") != CONFIG.digest("bundle", "key")


def test_bundle_and_key_change_the_digest_and_nothing_else_does() -> None:
    digest = CONFIG.digest("bundle", "key")
    assert len(digest) == 64
    assert CONFIG.digest("other", "key") != digest != CONFIG.digest("bundle", "other")
    assert CONFIG.digest("key", "bundle") != digest
    assert RowConfig(screen_date=date(2020, 3, 1)).digest("bundle", "key") == digest


@pytest.mark.parametrize("name", CHANGED)
def test_it_comes_back_from_json(name: str) -> None:
    again = RowConfig.from_json(json.loads(json.dumps(CHANGED[name].to_json())))
    assert again == CHANGED[name]
    assert again.digest("bundle", "key") == CHANGED[name].digest("bundle", "key")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"audit_fraction": -0.1}, "--audit-fraction is a share"),
        ({"audit_fraction": 1.1}, "--audit-fraction is a share"),
        ({"heatmaps": "some"}, "--heatmaps is positive, all or none"),
        ({"dtype": "float16"}, "--dtype is auto, bfloat16 or float32"),
    ],
)
def test_contradictions_fail_in_the_constructor(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RowConfig(date(2020, 3, 1), **wrong)
