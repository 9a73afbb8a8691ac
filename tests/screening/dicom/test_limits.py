"""What a file may cost, by hand."""

import pytest

from schemas.reasons import Reason
from screening.dicom.limits import Limits
from screening.errors import ImageRefused

LIMITS = Limits(max_expansion=10.0, free_expansion_bytes=1000)


@pytest.mark.parametrize(("decoded", "stored"), [(0, 0), (1000, 1), (1000, 0), (1001, 101), (50_000, 5000)])
def test_what_expands_within_reason_is_let_through(decoded: int, stored: int) -> None:
    LIMITS.check_expansion(decoded, stored)


@pytest.mark.parametrize(("decoded", "stored"), [(1001, 0), (1001, 100), (50_001, 5000)])
def test_what_expands_beyond_reason_is_refused_with_its_size(decoded: int, stored: int) -> None:
    with pytest.raises(ImageRefused, match=f"{stored} bytes would expand to more than 10 times") as refusal:
        LIMITS.check_expansion(decoded, stored)
    assert refusal.value.reason is Reason.IMPLAUSIBLE_COMPRESSION


def test_the_defaults_let_a_radiograph_of_any_detector_through() -> None:
    limits = Limits()
    detector = 4300 * 4300 * 2  # the largest flat panels, 16 bits
    assert detector < limits.max_bytes
    assert limits.max_pixels > 4300 * 4300
    limits.check_expansion(detector, detector // 50)  # no lossless coding makes a fiftieth of a radiograph
