"""dicom: the header reader against pydicom on real files, sound and broken ones, and its limits."""

import struct
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from schemas.reasons import Reason
from screening.dicom.header import is_dicom, read_dicom
from screening.dicom.limits import Limits
from screening.errors import ImageRefused
from tests.screening import hostile

TEXTS = [
    "SOPInstanceUID",
    "PatientID",
    "PatientName",
    "Modality",
    "StudyDate",
    "InstitutionName",
    "PhotometricInterpretation",
    "SOPClassUID",
]
NUMBERS = ["Rows", "Columns", "BitsStored", "WindowCenter", "RescaleSlope", "PixelPaddingValue", "SmallestImagePixelValue"]
# pydicom itself reads no header in these two, or not where they start
UNREADABLE = {"no_meta", "emri_small_jpeg_2k_lossless_too_short"}


def _files() -> list[Path]:
    folders = {Path(get_testdata_file(name)).parent for name in ("CT_small.dcm", "RG1_UNCR.dcm")}
    return sorted(path for folder in folders for path in folder.glob("*.dcm") if path.stem not in UNREADABLE)


def _first(value: object) -> list[float]:
    if value is None or value == "":
        return []
    return [float(v) for v in (value if isinstance(value, pydicom.multival.MultiValue) else [value])]


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_file_of_pydicom_reads_alike():
    compared = 0
    for path in _files():
        data = path.read_bytes()
        if not is_dicom(data):
            continue
        file, theirs = read_dicom(data, Limits()), pydicom.dcmread(path, force=True)
        assert ("PixelData" in file.header) == ("PixelData" in theirs), path
        for keyword in TEXTS:
            value = theirs.get(keyword)
            assert file.header.text(keyword) == ("" if value is None else str(value).strip()), (path, keyword)
        for keyword in NUMBERS:
            assert file.header.numbers(keyword) == _first(theirs.get(keyword)), (path, keyword)
        compared += 1
    assert compared > 40


def test_truncated_header_is_read_as_far_as_it_goes():
    data = Path(get_testdata_file("rtplan_truncated.dcm")).read_bytes()
    file = read_dicom(data, Limits())
    assert file.fault.reason == Reason.TRUNCATED
    assert file.header.text("Modality") == "RTPLAN"


def test_items_of_sequences():
    for undefined in (False, True):
        dataset = hostile.build_dataset(hostile.chest(), hostile.attributes(Modality="DX"), hostile.CODING)
        dataset["ViewCodeSequence"].is_undefined_length = undefined
        dataset.ViewCodeSequence[0].is_undefined_length_sequence_item = undefined
        header = read_dicom(hostile.to_bytes(dataset), Limits()).header
        assert [item.text("CodeMeaning") for item in header.items("ViewCodeSequence")] == ["postero-anterior"]
        assert header.items("ViewCodeSequence")[0].items("ViewModifierCodeSequence") == []
        assert header.items("ModalityLUTSequence") == []


def test_character_sets():
    for charset, name in (("ISO_IR 192", "Zoë"), ("ISO_IR 100", "Zoë"), ("ISO_IR 144", "Люксембург"), ("GB18030", "王小东"), ("", "plain")):
        dataset = hostile.build_dataset(hostile.chest(), hostile.attributes(), hostile.CODING)
        dataset.SpecificCharacterSet = charset
        dataset.PatientID = name
        assert read_dicom(hostile.to_bytes(dataset), Limits()).header.text("PatientID") == name
    japanese = Path(get_testdata_file("empty_charset_LEI.dcm")).read_bytes()
    assert read_dicom(japanese, Limits()).header.charsets == []


def test_code_extensions_are_decoded_without_a_warning():
    header = read_dicom(hostile.good(), Limits()).header
    header.charsets = ["", "ISO 2022 IR 87"]
    raw = "山田".encode("iso2022_jp")
    header.buffer = memoryview(bytes(header.buffer).replace(b"Northgate General ", raw + b" " * (18 - len(raw))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert header.text("InstitutionName") == "山田"


def test_numbers_that_are_none():
    header = read_dicom(hostile.changed(RescaleSlope="1"), Limits()).header
    assert header.number("RescaleSlope") == 1
    assert header.numbers("PatientID") == []
    assert header.number("WindowExplanation") is None
    assert header.integer("NumberOfFrames", 1) == 1


def test_missing_preamble_and_missing_transfer_syntax():
    data = hostile.good()
    assert read_dicom(data[132:], Limits()).header.text("Modality") == "CR"
    length = struct.unpack_from("<I", data, 140)[0]
    bare = read_dicom(data[144 + length :], Limits())
    assert bare.transfer_syntax == "1.2.840.10008.1.2.1"
    assert bare.header.text("Modality") == "CR"


@pytest.mark.parametrize(("make", "reason"), [(hostile.endless_sequence, Reason.CORRUPT), (hostile.crowded_sequence, Reason.TOO_LARGE)])
def test_walk_ends(make: object, reason: Reason):
    assert read_dicom(make(), Limits()).fault.reason == reason


def test_deflate_is_bounded():
    bomb = hostile.deflate_bomb()
    for limits, reason in ((Limits(), Reason.IMPLAUSIBLE_COMPRESSION), (Limits(max_bytes=1 << 20), Reason.TOO_LARGE)):
        with pytest.raises(ImageRefused) as refusal:
            read_dicom(bomb, limits)
        assert refusal.value.reason == reason
    with pytest.raises(ImageRefused) as refusal:
        read_dicom(hostile.good("deflated")[:-50_000], Limits())
    assert refusal.value.reason == Reason.TRUNCATED
