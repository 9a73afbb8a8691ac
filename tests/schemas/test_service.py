"""What a server can be told: it is open or guarded, never neither."""

import pytest
from pydantic import ValidationError

from schemas.service import ServiceSettings


def test_a_server_is_open_or_guarded() -> None:
    assert ServiceSettings(bundle="b", tokens="t").blind
    assert ServiceSettings(bundle="b", open=True).tokens is None
    for wrong in ({}, {"tokens": "t", "open": True}):
        with pytest.raises(ValidationError, match="file of tokens"):
            ServiceSettings(bundle="b", **wrong)


def test_a_sites_file_goes_with_the_key() -> None:
    assert ServiceSettings(bundle="b", open=True, sites_file="s", pseudonym_key="k").sites_file == "s"
    with pytest.raises(ValidationError, match="Give the key of the nights"):
        ServiceSettings(bundle="b", open=True, sites_file="s")


@pytest.mark.parametrize("wrong", [{"queue": 0}, {"replicas": 0}, {"device": "tpu"}, {"no_such": 1}, {"request_seconds": 0}])
def test_settings_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ServiceSettings(bundle="b", open=True, **wrong)
