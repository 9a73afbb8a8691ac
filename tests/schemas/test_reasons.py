"""Reasons: each leads to a refusal, and says why."""

from schemas.reasons import Outcome, Reason


def test_reasons_lead_to_a_refusal_and_say_why() -> None:
    for reason in Reason:
        assert reason.outcome in (Outcome.REJECTED, Outcome.FAILED)
        assert len(reason.description) > 20
        assert Reason(str(reason)) is Reason.known(reason.value) is reason
    assert Reason.known("of a later version") is None
