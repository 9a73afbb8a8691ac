"""charsets: declared, undeclared and wrongly declared text."""

import pytest

from screening.dicom.charsets import decode_text


@pytest.mark.parametrize(("raw", "terms", "vr", "text"), [
    (b"CHEST", (), "CS", "CHEST"),
    ("Tórax".encode(), ("ISO_IR 192",), "LO", "Tórax"),
    ("Tórax".encode("latin-1"), ("ISO_IR 100",), "LO", "Tórax"),
    ("Tórax".encode("latin-1"), (), "LO", "Tórax"),  # nothing is declared
    ("Tórax".encode(), (), "LO", "Tórax"),
    ("TÓRAX".encode("latin-1"), ("ISO_IR 192",), "CS", "TÓRAX"),  # a CS value is written in Latin 1 whatever is declared
    ("TÓRAX".encode(), ("ISO_IR 192",), "CS", "TÓRAX"),
    ("胸部".encode("gb18030"), ("GB18030",), "CS", "胸部"),
    ("胸部".encode()[:-1], ("ISO_IR 192",), "LO", "胸\ufffd"),  # cut within a letter
    ("Tórax".encode(), ("no such term",), "LO", "Tórax"),
    ("흉부".encode("euc_kr"), ("", "ISO 2022 IR 149"), "LO", "흉부".encode("euc_kr").decode("latin-1")),
    (b"\x1b$B" + "胸部".encode("iso2022_jp")[3:], ("", "ISO 2022 IR 87"), "LO", "胸部"),
])  # fmt: skip
def test_text_is_decoded(raw: bytes, terms: tuple[str, ...], vr: str, text: str):
    assert decode_text(raw, terms, vr) == text


def test_many_declared_character_sets_cost_no_more_than_each_of_them():
    raw = b"\x1b" + bytes(range(128, 256)) * 32
    assert decode_text(raw, ["ISO 2022 IR 87", "ISO 2022 IR 58"] * 4000, "LO")
