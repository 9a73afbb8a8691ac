"""The gate: no promotion without a record of these two bundles, and none that left the margins."""

from typing import Any

import pytest

from schemas.shadow import Difference, ShadowRecord
from screening.errors import PromotionRefused, ResultsError, UsageError
from screening.registry.gate import Margins, evidence_for, read_records
from screening.results.layout import ResultsLayout
from screening.storage import put_atomic
from tests.registry import RATE, RECORD, STAGE, entry

CURRENT, CANDIDATE = entry("promote", "a"), entry("register", "b")
NEAR = RATE.model_copy(update={"difference": 0.0, "low": -0.02, "high": 0.02})


def record(rate: Difference = NEAR, agreement: float = 0.95, **changes: Any) -> ShadowRecord:
    stage = STAGE.model_copy(update={"positive_rate": rate, "agreement": agreement})
    return RECORD.model_copy(update={"stages": {"pneumonia": STAGE, "covid": stage}, **changes})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (record(), []),
        (record(RATE), ["share of positives +0.100 (95 % CI +0.050 to +0.150), beyond 0.05"]),
        (record(NEAR.model_copy(update={"low": -0.06})), ["share of positives +0.000 (95 % CI -0.060 to +0.020), beyond 0.05"]),
        (record(agreement=0.7), ["0.300 of the radiographs called differently, more than 0.2"]),
        (record(auroc=NEAR), []),
        (record(auroc=NEAR.model_copy(update={"low": -0.051})), ["AUROC +0.000 (95 % CI -0.051 to +0.020), below -0.05"]),
        (record(auroc=NEAR.model_copy(update={"low": None, "high": None})), ["AUROC +0.000 (too few for an interval), below -0.05"]),
    ],
)
def test_what_lies_outside_the_margins_is_said_by_its_interval(found: ShadowRecord, said: list[str]) -> None:
    assert Margins().broken_by(found) == said
    assert Margins(1, 1, 1).broken_by(found.model_copy(update={"auroc": None})) == []


def test_only_the_latest_record_of_these_two_bundles_counts() -> None:
    others = [record(current_digest="c" * 64), record(candidate_digest="c" * 64)]
    with pytest.raises(PromotionRefused, match="no shadow run compares bbbbbbbbbbbb with bundle a"):
        evidence_for(others, CANDIDATE, CURRENT, Margins())
    bad, good = record(RATE, shadow_id="bad"), record(shadow_id="good")
    assert evidence_for([bad, good, *others], CANDIDATE, CURRENT, Margins()) == good
    with pytest.raises(PromotionRefused, match="left the margins in shadow run bad: share of positives"):
        evidence_for([good, bad], CANDIDATE, CURRENT, Margins())
    assert evidence_for([bad], CANDIDATE, CURRENT, Margins(rate_change=0.15)) == bad


def test_records_are_read_in_the_order_of_time_and_a_damaged_one_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    layout = ResultsLayout(str(tmp_path_factory.mktemp("r")))
    assert read_records(layout) == []
    for number in (2, 1):
        shadow_id = f"2020030{number}T000000Z-000000"
        put_atomic(layout.shadow(shadow_id) + "/record.json", record(shadow_id=shadow_id).model_dump_json().encode())
        put_atomic(layout.shadow(shadow_id) + "/runs/r/manifest.json", b"{}")
    assert [it.shadow_id[:8] for it in read_records(layout)] == ["20200301", "20200302"]
    put_atomic(layout.shadow("3") + "/record.json", b"{}")
    with pytest.raises(ResultsError, match=r"shadow/3/record\.json: no record"):
        read_records(layout)


def test_a_margin_that_is_no_share_is_refused() -> None:
    with pytest.raises(UsageError, match="--max-rate-change is a share"):
        Margins(rate_change=5)
