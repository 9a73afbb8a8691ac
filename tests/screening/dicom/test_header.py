"""dicom: the header reader against pydicom on real files, sound and broken ones, and its limits."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword

from schemas.reasons import Reason
from screening.dicom.elements import Element
from screening.dicom.header import MAX_VALUE_BYTES, inflate, is_dicom, read_dicom
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


@pytest.mark.parametrize("keyword", ["Rows", "WindowCenter", "PatientName", "SpecificCharacterSet"])
def test_values_that_are_too_long_are_refused(keyword: str):
    header = read_dicom(hostile.good(), Limits()).header
    tag = tag_for_keyword(keyword)
    for length in (MAX_VALUE_BYTES, MAX_VALUE_BYTES + 1):
        header.buffer, header.elements[tag] = memoryview(b"1" * length), Element("UN", 0, length)
        if length == MAX_VALUE_BYTES:
            assert len(header.raw(keyword)) == length
            continue
        for read in (header.raw, header.texts, header.numbers):
            with pytest.raises(ImageRefused, match=f"{keyword} holds 8193 bytes") as refusal:
                read(keyword)
            assert refusal.value.reason == Reason.CORRUPT


def test_integers_have_32_bits():
    header = read_dicom(hostile.good(), Limits()).header
    for text, value in (("2147483647", 2147483647), ("-2147483648", -2147483648), ("2147483648", None), ("1e300", None)):
        header.buffer, header.elements[tag_for_keyword("Rows")] = memoryview(text.encode()), Element("IS", 0, len(text))
        if value is not None:
            assert header.integer("Rows", 0) == value
            continue
        with pytest.raises(ImageRefused) as refusal:
            header.integer("Rows", 0)
        assert refusal.value.reason == Reason.CORRUPT


def test_tables_are_read_up_to_what_a_descriptor_can_name():
    item = read_dicom(hostile.changed(VOILUTSequence=[hostile.table(bytes(200_000))]), Limits()).header.items("VOILUTSequence")[0]
    assert item.length("LUTData") == 200_000
    assert item.array("LUTData").size == item.array("LUTData", 8).size == 65536
    assert item.array("RedPaletteColorLookupTableData").size == 0


@pytest.mark.parametrize("transfer_syntax", ["explicit_little_endian", "explicit_big_endian"])
def test_attributes_of_unknown_representation_are_read_by_the_dictionary(transfer_syntax: str):
    data = hostile.good(transfer_syntax)
    known, unknown = (read_dicom(file, Limits()).header for file in (data, hostile.untyped(data, 0x0008, 0x0010, 0x0028)))
    assert unknown.elements[tag_for_keyword("Rows")].vr == "UN"
    for keyword in ("Rows", "Columns", "BitsStored", "WindowCenter", "PixelRepresentation"):
        assert unknown.numbers(keyword) == known.numbers(keyword) != []
    for keyword in ("PatientName", "Modality", "PhotometricInterpretation"):
        assert unknown.texts(keyword) == known.texts(keyword) != []


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


def test_deflated_data_sets_of_every_size_come_back_whole():
    """Around the size of a part: what zlib keeps when its output is full must not be taken for the end of the stream."""
    for size in (1 << 20, (1 << 20) - 1, (2 << 20) + 1, 300_000):
        for content in (bytes(size), np.random.default_rng(size).bytes(size)):
            deflater = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            deflated = deflater.compress(content) + deflater.flush()
            assert inflate(memoryview(deflated), Limits()) == content
            with pytest.raises(ImageRefused) as refusal:
                inflate(memoryview(deflated[:-1]), Limits())
            assert refusal.value.reason == Reason.TRUNCATED


def test_deflate_is_bounded():
    bomb = hostile.deflate_bomb()
    for limits, reason in ((Limits(), Reason.IMPLAUSIBLE_COMPRESSION), (Limits(max_bytes=1 << 20), Reason.TOO_LARGE)):
        with pytest.raises(ImageRefused) as refusal:
            read_dicom(bomb, limits)
        assert refusal.value.reason == reason
    with pytest.raises(ImageRefused) as refusal:
        read_dicom(hostile.good("deflated")[:-50_000], Limits())
    assert refusal.value.reason == Reason.TRUNCATED
