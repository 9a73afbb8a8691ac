"""terms: what of coded strings may stand in rows."""

import pytest

from screening.ingest.terms import term_of


@pytest.mark.parametrize(("keyword", "text", "term"), [
    ("Modality", "CR", "CR"), ("Modality", "dx", "DX"), ("Modality", "CT", "CT"), ("Modality", "NG", None), ("Modality", "", None),
    ("BodyPartExamined", "CHEST", "CHEST"), ("BodyPartExamined", "Thorax", "THORAX"), ("BodyPartExamined", "CHEST_PA", "CHEST_PA"),
    ("BodyPartExamined", "PORT CHEST", "PORT CHEST"), ("BodyPartExamined", "HAND", "HAND"), ("BodyPartExamined", "51185008", "51185008"),
    ("BodyPartExamined", "DOE^JOHN", None), ("BodyPartExamined", "CHEST DOE", None), ("BodyPartExamined", "NG", None),
    ("BodyPartExamined", "19610305", None), ("BodyPartExamined", "", None), ("BodyPartExamined", "__-", None),
    ("ViewPosition", "PA", "PA"), ("ViewPosition", "AP/LAT", "AP/LAT"), ("ViewPosition", "LI", None), ("ViewPosition", "CHEST", None),
    ("PhotometricInterpretation", "MONOCHROME1", "MONOCHROME1"), ("PhotometricInterpretation", "PALETTE COLOR", "PALETTE COLOR"),
    ("PhotometricInterpretation", "DOE", None),
])  # fmt: skip
def test_terms(keyword: str, text: str, term: str | None) -> None:
    assert term_of(keyword, text) == term
