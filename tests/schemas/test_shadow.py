"""The record of a shadow run survives JSON, and is refused where it says less or more."""

import pytest
from pydantic import ValidationError

from schemas.shadow import ShadowRecord
from tests.registry import RECORD, STAGE


def test_it_survives_json() -> None:
    assert ShadowRecord.model_validate_json(RECORD.model_dump_json()) == RECORD
    assert (RECORD.auroc, RECORD.sensitivity) == (None, None)


@pytest.mark.parametrize("wrong", [{"stages": {"lungs": STAGE}}, {"matched": "nothing"}, {"surprise": 1}])
def test_what_it_does_not_know_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ShadowRecord.model_validate(RECORD.model_dump() | wrong)
