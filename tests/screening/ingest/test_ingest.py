"""ingest: every transfer syntax and table against pydicom, each refusal, what leaves the header, and files that mean harm."""

import dataclasses
import io
import json
import resource
from datetime import date

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from schemas.instance import IDENTITY_COLUMNS
from schemas.reasons import Outcome, Reason
from screening.dicom.limits import Limits
from screening.dicom.writer import Coding
from screening.ingest import preprocess
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import Ingested, ingest
from screening.privacy import Pseudonymizer
from tests.screening import hostile, pictures
from tests.screening.plain_decode import area_resize

KEY = Pseudonymizer(b"a key of sixteen bytes or more")
CONFIG = IngestConfig()


def _ingest(data: bytes, **config: object) -> Ingested:
    return ingest(data, IngestConfig(**config), KEY)


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def test_good_file_gives_pixels_and_columns():
    found = _ingest(hostile.good())
    assert found.refusal is None
    assert found.pixels.shape == (preprocess.SIZE, preprocess.SIZE)
    assert found.pixels.dtype == np.uint8
    assert set(found.columns) == {column.name for column in IDENTITY_COLUMNS}
    assert found.columns["StudyDate"] == date(2020, 4, 1)
    assert found.columns["age_years"] == 59
    assert found.columns["patient_pseudonym"] == KEY.pseudonym("QX-77120934", "PatientID")
    assert found.columns["pixels_inverted"] is False
    assert (found.columns["Rows"], found.columns["Columns"], found.columns["BitsStored"]) == (620, 560, 12)
    assert (found.columns["InstitutionName"], found.columns["Manufacturer"]) == ("Northgate General", "Aldwych Imaging")


REFUSALS = {
    "empty": (Reason.TRUNCATED, lambda: b""),
    "text": (Reason.NOT_DICOM, lambda: b"%PDF-1.4 a report, not an image" * 20),
    "noise": (Reason.NOT_DICOM, lambda: np.random.default_rng(1).bytes(5000)),
    "zeros": (Reason.NOT_DICOM, lambda: bytes(5000)),
    "no pixels": (Reason.NO_PIXELS, lambda: hostile.changed(PixelData=None)),
    "half a header": (Reason.TRUNCATED, lambda: hostile.good()[:700]),
    "half the pixels": (Reason.TRUNCATED, lambda: hostile.good()[:-300_000]),
    "one byte short": (Reason.TRUNCATED, lambda: hostile.good()[:-1]),
    "no rows": (Reason.CORRUPT, lambda: hostile.changed(Rows=None)),
    "impossible bits": (Reason.CORRUPT, lambda: hostile.changed(BitsAllocated=13)),
    "other size inside": (Reason.CORRUPT, lambda: hostile.changed("jpeg_2000_lossless", Rows=619)),
    "mpeg": (Reason.UNSUPPORTED_TRANSFER_SYNTAX, lambda: _with_syntax("1.2.840.10008.1.2.4.100")),
    "ct": (Reason.WRONG_MODALITY, lambda: hostile.changed(Modality="CT")),
    "hand": (Reason.WRONG_BODY_PART, lambda: hostile.changed(BodyPartExamined="HAND")),
    "ribs": (Reason.WRONG_BODY_PART, lambda: hostile.changed(BodyPartExamined="CHEST RIBS")),
    "lateral": (Reason.LATERAL_VIEW, lambda: hostile.good(ViewPosition="LL")),
    "for processing": (Reason.NOT_FOR_SCREENING, lambda: hostile.changed(PresentationIntentType="FOR PROCESSING")),
    "screenshot": (Reason.NOT_FOR_SCREENING, lambda: hostile.changed(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"])),
    "colour picture": (Reason.NOT_A_RADIOGRAPH, lambda: _saved(pictures.landscape(), "JPEG")),
    "coloured drawing": (Reason.NOT_A_RADIOGRAPH, lambda: _saved(pictures.cartoon(), "PNG")),
    "grey drawing": (Reason.NOT_A_RADIOGRAPH, lambda: _saved(pictures.cartoon("L", background=200), "PNG")),
    "page": (Reason.NOT_A_RADIOGRAPH, lambda: _saved(pictures.page(), "JPEG")),
    "colour picture in dicom": (Reason.NOT_A_RADIOGRAPH, lambda: _colour_dicom(pictures.landscape())),
    "slope": (Reason.CORRUPT, lambda: hostile.changed(RescaleSlope="1e39", RescaleIntercept="0", RescaleType="US")),
    "frames": (Reason.SEVERAL_FRAMES, lambda: hostile.changed(NumberOfFrames=12)),
    "stamp": (Reason.TOO_SMALL, lambda: hostile.changed(Rows=100)),
    "huge header": (Reason.TOO_LARGE, hostile.huge_header),
    "deflate bomb": (Reason.IMPLAUSIBLE_COMPRESSION, hostile.deflate_bomb),
    "endless sequence": (Reason.CORRUPT, hostile.endless_sequence),
    "crowded sequence": (Reason.TOO_LARGE, hostile.crowded_sequence),
    "a million tiles": (Reason.IMPLAUSIBLE_COMPRESSION, hostile.tiled_to_death),
    "png bomb": (Reason.TOO_LARGE, hostile.png_bomb),
    "smaller png bomb": (Reason.IMPLAUSIBLE_COMPRESSION, lambda: hostile.png_bomb(7_900)),
    "half a j2k": (Reason.TRUNCATED, lambda: _cut_codestream("jpeg_2000_lossless")),
    "half an htj2k": (Reason.TRUNCATED, lambda: _cut_codestream("htj2k_lossless")),
    "half a jpeg": (Reason.TRUNCATED, lambda: _cut_codestream("jpeg_lossless_sv1")),
    "half a jpeg-ls": (Reason.TRUNCATED, lambda: _cut_codestream("jpeg_ls_lossless")),
    "half an rle": (Reason.CORRUPT, lambda: _cut_codestream("rle")),
    "black": (Reason.BLANK, lambda: hostile.changed(PixelData=bytes(620 * 560 * 2))),
    "static": (Reason.BLANK, lambda: hostile.changed(PixelData=np.random.default_rng(2).integers(0, 4096, (620, 560), "<u2").tobytes())),
}


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _colour_dicom(image: Image.Image, transfer_syntax: str = "explicit_little_endian") -> bytes:
    """Return a CR file with three samples a pixel: RGB, or in JPEG baseline what JPEG files hold."""
    values = np.asarray(image.convert("RGB"))
    dataset = hostile.build_dataset(np.ascontiguousarray(values[..., 0]), hostile.attributes(), Coding(8), transfer_syntax)
    is_jpeg = transfer_syntax == "jpeg_baseline"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "YBR_FULL_422" if is_jpeg else "RGB", 0
    dataset.PixelData = encapsulate([_saved(image, "JPEG", quality=95)]) if is_jpeg else values.tobytes()
    return hostile.to_bytes(dataset)


def _with_syntax(uid: str) -> bytes:
    data = hostile.good("jpeg_lossless_sv1")
    old = b"1.2.840.10008.1.2.4.70\0\0"
    assert old[:-1] in data or old[:-2] in data
    return data.replace(b"1.2.840.10008.1.2.4.70", uid[:22].encode().ljust(22, b"\0"))


def _cut_codestream(transfer_syntax: str) -> bytes:
    """Return a whole file whose one fragment holds half of the codestream."""
    from pydicom.encaps import generate_fragments

    frame = max(
        generate_fragments(hostile.build_dataset(hostile.chest(), hostile.attributes(), hostile.CODING, transfer_syntax).PixelData), key=len
    )
    return hostile.changed(transfer_syntax, PixelData=encapsulate([frame[: len(frame) // 4 * 2]]))


@pytest.mark.parametrize("case", REFUSALS)
def test_each_refusal_has_its_reason(case: str):
    reason, make = REFUSALS[case]
    found = _ingest(make())
    assert found.pixels is None
    assert found.refusal.reason == reason, found.refusal
    assert found.refusal.reason.outcome is Outcome.REJECTED


def test_other_refusals_by_configuration():
    assert _ingest(hostile.good(), min_age_years=60).refusal.reason == Reason.BELOW_AGE_LIMIT
    assert _ingest(hostile.good(), min_age_years=59).refusal is None
    assert _ingest(hostile.good(), limits=Limits(max_bytes=1000)).refusal.reason == Reason.TOO_LARGE


def test_every_rejection_of_ingest_is_tested():
    tested = {reason for reason, _ in REFUSALS.values()} | {Reason.BELOW_AGE_LIMIT, Reason.INVERTED}  # INVERTED: test_polarity
    assert tested == {reason for reason in Reason if reason.outcome is Outcome.REJECTED} - {Reason.LUNGS_NOT_FOUND}


def test_refused_files_keep_their_columns():
    for data in (hostile.good(ViewPosition="LL"), hostile.good()[:-1], hostile.changed(Modality="CT")):
        assert _ingest(data).columns["patient_pseudonym"] == KEY.pseudonym("QX-77120934", "PatientID")


@pytest.mark.parametrize("case", ["good", *REFUSALS])
def test_no_identifier_of_the_patient_leaves_ingest(case: str):
    found = _ingest(hostile.good() if case == "good" else REFUSALS[case][1]())
    text = f"{found.columns} {found.refusal} {found.refusal!r}".lower()
    for value in hostile.PATIENT.values():
        for part in {value, *value.split("^"), *value.split()} - {"Chest", "for", "Dr", "call", "her", "on"}:
            assert part.lower() not in text


def test_identifier_in_the_wrong_attribute_is_not_copied():
    found = _ingest(hostile.changed(InstitutionName="Ward of Featherstonehaugh", ManufacturerModelName="QX-77120934"))
    assert found.columns["InstitutionName"] is None
    assert found.columns["ManufacturerModelName"] is None


def test_uids_become_pseudonyms_on_demand():
    plain, hidden = _ingest(hostile.good()), _ingest(hostile.good(), pseudonymize_uids=True)
    for kind in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert hidden.columns[kind] == KEY.pseudonym(plain.columns[kind], kind)
    assert ingest(hostile.good(), IngestConfig(pseudonymize_uids=True), None).columns["SOPInstanceUID"] is None


def test_inverted_pixels_are_swapped_back():
    straight = _ingest(hostile.good())
    swapped = _ingest(hostile.changed(PhotometricInterpretation="MONOCHROME1"))
    assert swapped.columns["pixels_inverted"] is True
    assert np.abs(straight.pixels.astype(int) - swapped.pixels).max() <= 1


def test_same_image_twice_has_the_same_hash():
    first, second = _ingest(hostile.good()), _ingest(hostile.good("jpeg_lossless_sv1", SOPInstanceUID="2.25.77"))
    assert first.columns["pixel_hash"] == second.columns["pixel_hash"]


@pytest.mark.parametrize(("format", "bits"), [("PNG", 8), ("PNG", 16), ("JPEG", 8)])
def test_image_files(format: str, bits: int):
    values = hostile.chest(1300, 1100, bits)
    file = io.BytesIO()
    Image.fromarray(values).save(file, format, **({"quality": 95} if format == "JPEG" else {}))
    found = _ingest(file.getvalue())
    assert found.refusal is None
    assert (found.columns["Rows"], found.columns["Columns"]) == (1300, 1100)
    if bits == 8:
        expected = area_resize(values, 512, 433)
        assert np.abs(found.pixels[:, 39:472] - expected).mean() < (1.5 if format == "JPEG" else 0.6)  # JPEG: DCT of half the size
    assert _ingest(file.getvalue()[:-2000]).refusal.reason == Reason.TRUNCATED


@pytest.mark.parametrize("transfer_syntax", ["explicit_little_endian", "jpeg_baseline"])
def test_radiographs_in_colour_pass_in_dicom_and_in_files(transfer_syntax: str):
    for image in (pictures.radiograph(), pictures.annotated(), pictures.tinted(0.85, 0.95, 1.1)):
        assert _ingest(_colour_dicom(image, transfer_syntax)).refusal is None
        for data in (_saved(image, "PNG"), _saved(image, "JPEG", quality=60)):
            assert _ingest(data).refusal is None


@pytest.mark.parametrize("start", [b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"II*\0"])
def test_preamble_of_another_kind_of_file_is_only_a_preamble(start: bytes):
    """PS3.10 7.1 leaves the first 128 bytes to the writer, who may make a file of two kinds of it: the prefix DICM decides."""
    data = hostile.good()
    dual = _ingest(start.ljust(128, b"\0") + data[128:])
    assert dual.refusal is None
    assert np.array_equal(dual.pixels, _ingest(data).pixels)
    assert dual.columns == _ingest(data).columns


def test_orientation_within_pixel_data_is_not_obeyed():
    """DICOM says by its own attributes how an image lies; what a camera wrote into a JPEG stream counts in a JPEG file alone."""
    turned = Image.Exif()
    turned[0x0112] = 6
    grey = Image.fromarray(hostile.chest(bits=8))
    streams = [_saved(grey, "JPEG"), _saved(grey, "JPEG", exif=turned)]
    dataset = hostile.build_dataset(hostile.chest(bits=8), hostile.attributes(), Coding(8), "jpeg_baseline")
    files = []
    for stream in streams:
        dataset.PixelData = encapsulate([stream])
        files.append(_ingest(hostile.to_bytes(dataset)))
    assert np.array_equal(files[0].pixels, files[1].pixels)


def test_colour_image_is_luma():
    grey = hostile.chest(600, 600, 8)
    file = io.BytesIO()
    Image.fromarray(np.stack([grey // 2, grey, grey // 3], axis=-1)).save(file, "PNG")
    expected = area_resize(0.299 * (grey // 2) + 0.587 * grey + 0.114 * (grey // 3), 512, 512)
    assert np.abs(_ingest(file.getvalue()).pixels - expected).mean() < 0.6


def test_config_survives_json():
    config = IngestConfig(min_age_years=15, limits=Limits(max_pixels=10))
    assert IngestConfig.from_json(json.loads(json.dumps(dataclasses.asdict(config)))) == config


@pytest.mark.parametrize("transfer_syntax", ["explicit_little_endian", "implicit_little_endian", "deflated", "rle", "jpeg_lossless_sv1",
                                             "jpeg_baseline", "jpeg_ls_lossless", "jpeg_2000_lossless", "htj2k"])  # fmt: skip
def test_spoilt_files_never_raise_and_never_cost_much(transfer_syntax: str):
    coding = dataclasses.replace(hostile.CODING, bits_stored=8, windows=()) if transfer_syntax == "jpeg_baseline" else hostile.CODING
    pixels = hostile.chest(300, 280, coding.bits_stored)
    data = hostile.write_dicom(pixels, hostile.attributes(), coding, transfer_syntax)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for spoilt in hostile.mutations(data, 60, seed=len(transfer_syntax)):
        found = _ingest(spoilt)
        assert (found.pixels is None) != (found.refusal is None)
        assert set(found.columns) <= {column.name for column in IDENTITY_COLUMNS}
        if found.refusal:
            assert found.refusal.reason.outcome is Outcome.REJECTED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10  # kilobytes
