"""An entry of the registry: it survives JSON, and one that says neither who nor why is none."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from schemas.registry import RegistryEntry

ENTRY = RegistryEntry(
    number=3, action="promote", bundle_digest="ab" * 32, bundle_name="cxr", bundle_url="/b", operating_points={}, who="ann",
    when=datetime(2020, 3, 1, tzinfo=UTC), why="because",
)  # fmt: skip


def test_it_survives_json_and_names_its_bundle() -> None:
    assert RegistryEntry.model_validate_json(ENTRY.model_dump_json()) == ENTRY
    assert str(ENTRY) == "cxr abababababab (entry 3 of the registry)"


@pytest.mark.parametrize("wrong", [{"who": ""}, {"why": ""}, {"action": "remove"}, {"number": 0}, {"bundle_digest": "ab"}, {"more": 1}])
def test_what_says_too_little_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RegistryEntry.model_validate(ENTRY.model_dump() | wrong)
