"""A run's manifest: it survives JSON, refuses what it does not know, and says how fast the run was."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from schemas.run import RunManifest, RunTimes

MANIFEST = RunManifest(
    run_id="r", archive_url="a", results_url="r", bundle_url="b", bundle_name="b", bundle_digest="d", screen_date=date(2020, 3, 1),
    configuration={"limit": None}, started=datetime(2020, 3, 1, tzinfo=UTC),
)  # fmt: skip


def test_it_survives_json() -> None:
    assert RunManifest.model_validate_json(MANIFEST.model_dump_json()) == MANIFEST
    assert (MANIFEST.status, MANIFEST.kind, MANIFEST.executions, MANIFEST.finished) == ("planning", "run", 1, None)


@pytest.mark.parametrize("wrong", [{"status": "asleep"}, {"kind": "walk"}, {"surprise": 1}, {"counts": {"surprise": 1}}])
def test_what_it_does_not_know_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RunManifest.model_validate(MANIFEST.model_dump() | wrong)


def test_a_bundle_that_is_not_the_promoted_one_is_said() -> None:
    assert MANIFEST.not_promoted == MANIFEST.model_copy(update={"promoted_digest": "d"}).not_promoted == ""
    assert "bundle d judges" in MANIFEST.model_copy(update={"promoted_digest": "e"}).not_promoted


def test_speed_is_of_the_wall_time() -> None:
    assert RunTimes(images=300, wall_seconds=120.0).images_per_second == 2.5
    assert RunTimes(images=300).images_per_second == 0.0
