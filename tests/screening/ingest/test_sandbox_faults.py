"""What the sandbox tells of an error that nobody foresaw, of a crash and of a hang: the frames, never a value."""

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.reasons import Reason
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested
from screening.ingest.sandbox import DecodeSandbox
from tests.archives import phantom_dicom
from tests.screening.ingest.sabotage import sabotage

SECRET = "DOE^JANE"


@pytest.fixture
def ingest_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ingested]:
    """Return a function that ingests one good radiograph in a child whose decoding does something else in the middle."""

    def ingest(body: str, seconds: float = 60) -> Ingested:
        sabotage(tmp_path, monkeypatch, body)
        with DecodeSandbox(IngestConfig(), None, seconds, 2 << 30) as sandbox:
            return sandbox.ingest(phantom_dicom(0))

    return ingest


def functions(ingested: Ingested) -> list[str]:
    return [frame.function for frame in ingested.fault.frames]


def test_an_unforeseen_error_is_the_images_fault_and_leaves_its_frames(ingest_with: Callable[..., Ingested]) -> None:
    ingested = ingest_with(f"raise KeyError('{SECRET}')")
    assert (ingested.refusal.reason, ingested.refusal.detail) == (Reason.CORRUPT, "KeyError while decoding")
    assert ingested.fault.type == "KeyError"
    assert functions(ingested)[-2:] == ["ingest", "upright"]
    assert ingested.fault.frames[-2].file == "screening/ingest/ingest.py"
    assert ingested.fault.frames[-2].line > 0
    assert SECRET not in str(ingested.fault)


def test_a_crash_tells_its_signal_and_where_it_was(ingest_with: Callable[..., Ingested]) -> None:
    ingested = ingest_with("import ctypes; ctypes.string_at(0)")
    assert ingested.refusal.reason is Reason.DECODER_DIED
    assert "SIGSEGV" in ingested.refusal.detail
    assert ingested.fault.type == "SIGSEGV"
    assert functions(ingested)[-3:] == ["ingest", "upright", "string_at"]


def test_a_hang_tells_where_it_was(ingest_with: Callable[..., Ingested]) -> None:
    ingested = ingest_with("import time; time.sleep(60)", seconds=2)
    assert ingested.refusal.reason is Reason.DECODE_TIMEOUT
    assert functions(ingested)[-2:] == ["ingest", "upright"]


def test_a_good_image_and_an_ordinary_refusal_have_no_fault(ingest_with: Callable[..., Ingested]) -> None:
    assert ingest_with("return content, False").fault is None
    refused = ingest_with(
        "from schemas.reasons import Reason; from screening.errors import ImageRefused; raise ImageRefused(Reason.BLANK, 'blank')"
    )
    assert (refused.refusal.reason, refused.fault) == (Reason.BLANK, None)
