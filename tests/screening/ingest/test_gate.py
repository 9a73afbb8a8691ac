"""gate: what headers of real archives say, and what that means."""

import io
from datetime import date

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from schemas.reasons import Reason
from screening.dicom.colour import sample_of_image
from screening.dicom.header import Header, read_dicom
from screening.dicom.limits import Limits
from screening.errors import ImageRefused
from screening.ingest import gate, preprocess
from tests.screening import hostile, pictures

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")  # pydicom, writing what real archives hold


def _header(**elements: object) -> Header:
    dataset = hostile.build_dataset(hostile.chest(), hostile.attributes(), hostile.CODING)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return read_dicom(hostile.to_bytes(dataset), Limits()).header


def _code(value: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


def _reason(**elements: object) -> Reason | None:
    try:
        gate.check_header(_header(**elements), 0, Limits(), 128)
    except ImageRefused as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("part", [
    "TÓRAX", "POUMON", "KLATKA PIERSIOWA", "AKCIGER",
    "", "CHEST", "chest", "PORT CHEST", "CHEST_PA", "CHEST 1 VIEW", "THORAX", "LUNG", "TORAX", "CXR", "UNKNOWN", "T-D3000", "51185008",
])  # fmt: skip
def test_chest_in_many_words(part: str):
    assert _reason(BodyPartExamined=part) is None


@pytest.mark.parametrize(
    "part", ["HAND", "SKULL", "TSPINE", "THORACIC SPINE", "CHESTABDOMEN", "CHEST RIBS", "SHOULDER", "ABDOMEN", "12345"]
)
def test_other_parts(part: str):
    assert _reason(BodyPartExamined=part) == Reason.WRONG_BODY_PART


def test_region_code_speaks_where_the_body_part_does_not():
    assert _reason(BodyPartExamined="", AnatomicRegionSequence=_code("85562004", "Hand")) == Reason.WRONG_BODY_PART
    assert _reason(BodyPartExamined="", AnatomicRegionSequence=_code("816094009", "")) is None
    assert _reason(BodyPartExamined="", AnatomicRegionSequence=_code("XX", "Chest")) is None
    assert _reason(BodyPartExamined="CHEST", AnatomicRegionSequence=_code("85562004", "Hand")) is None


@pytest.mark.parametrize(("modality", "sop_class", "accepted"), [
    ("CR", None, True), ("DX", None, True), ("RG", None, True), ("DR", None, True), ("", None, True),
    ("CT", None, False), ("MG", None, False),
    ("OT", None, False), ("SR", None, False), ("", "1.2.840.10008.5.1.4.1.1.2", False), ("CR", "1.2.840.10008.5.1.4.1.1.7", True),
])  # fmt: skip
def test_modalities(modality: str, sop_class: str | None, accepted: bool):
    elements = {"Modality": modality} | ({"SOPClassUID": sop_class} if sop_class else {})
    assert (_reason(**elements) is None) == accepted


@pytest.mark.parametrize("image_type", [
    [], ["ORIGINAL", "PRIMARY"], ["DERIVED", "PRIMARY"], ["DERIVED", "SECONDARY"], ["ORIGINAL", "PRIMARY", "", "CHEST"],
    ["DERIVED", "PRIMARY", "POST_PROCESSED"],
])  # fmt: skip
def test_ordinary_image_types(image_type: list[str]):
    assert _reason(ImageType=image_type) is None


@pytest.mark.parametrize("value", ["SCREEN SAVE", "SUBTRACTION", "COMPOSED", "STITCHED", "LOCALIZER", "BONE_SUPPRESSED", "SOFT TISSUE"])
def test_image_types_that_are_no_radiograph(value: str):
    assert _reason(ImageType=["DERIVED", "SECONDARY", value]) == Reason.NOT_FOR_SCREENING


@pytest.mark.parametrize(("elements", "lateral"), [
    ({"ViewPosition": "PA"}, False),
    ({"ViewPosition": "AP SUPINE"}, False),
    ({"ViewPosition": "POSTERO-ANTERIOR"}, False),
    ({"ViewPosition": "LL"}, True),
    ({"ViewPosition": "RL"}, True),
    ({"ViewPosition": "LATERAL"}, True),
    ({"ViewPosition": "lat"}, True),
    ({"ViewPosition": "LLD"}, True),
    ({"ViewPosition": "RAO"}, True),
    ({"ViewPosition": ""}, False),
    ({"ViewPosition": "", "ViewCodeSequence": _code("399198007", "right lateral")}, True),
    ({"ViewPosition": "", "ViewCodeSequence": _code("272479007", "postero-anterior")}, False),
    ({"ViewPosition": "", "ViewCodeSequence": _code("399135007", "left anterior oblique")}, True),
    ({"ViewPosition": "", "PatientOrientation": ["A", "F"]}, True),
    ({"ViewPosition": "", "PatientOrientation": ["P", "F"]}, True),
    ({"ViewPosition": "", "PatientOrientation": ["L", "F"]}, False),
    ({"ViewPosition": "PA", "PatientOrientation": ["A", "F"]}, False),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "Chest Lat"}, True),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "W033 Thorax lateral"}, True),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "Chest PA and lateral"}, False),
    ({"ViewPosition": "", "PatientOrientation": "", "ProtocolName": "CHEST LATERAL"}, True),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "Platinum chest"}, False),
    ({"ViewPosition": "PA", "SeriesDescription": "CHEST LAT"}, False),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "Thorax p.a./lat."}, False),
    ({"ViewPosition": "", "PatientOrientation": "", "ProtocolName": "Tórax perfil"}, True),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "胸部側面"}, True),
    ({"ViewPosition": "", "PatientOrientation": "", "SeriesDescription": "胸部", "ProtocolName": "正面"}, False),
    ({"ViewPosition": "P.A.", "SeriesDescription": "CHEST LAT"}, False),
    ({"ViewPosition": "L.L."}, True),
    ({"ViewPosition": "", "ViewCodeSequence": _code("X", "seitlich")}, True),
])  # fmt: skip
def test_lateral_views(elements: dict[str, object], lateral: bool):
    assert gate.is_lateral(_header(**elements)) is lateral


@pytest.mark.parametrize(("elements", "years"), [
    ({"PatientAge": "045Y"}, 45), ({"PatientAge": "018M"}, 1.5), ({"PatientAge": "026W"}, 0.4983), ({"PatientAge": "010D"}, 0.02738),
    ({"PatientAge": "000Y"}, 0), ({"PatientAge": "999Y"}, None),
    ({"PatientAge": "", "PatientBirthDate": "19600401"}, 60), ({"PatientAge": "ABC", "PatientBirthDate": "20191001"}, 0.501),
    ({"PatientAge": "", "PatientBirthDate": ""}, None), ({"PatientAge": "", "PatientBirthDate": "20210101"}, None),
    ({"PatientAge": "012M"}, 1), ({"PatientAge": "", "PatientBirthDate": "20190401"}, 1),
    ({"PatientAge": "", "PatientBirthDate": "20020401"}, 18),
    ({"PatientAge": "", "PatientBirthDate": "19960229", "StudyDate": "20200229"}, 24),
    ({"PatientAge": "", "PatientBirthDate": "19960229", "StudyDate": "20190301"}, 23),
    ({"PatientAge": "", "PatientBirthDate": "98990101", "StudyDate": "99991231"}, 100.995),
    ({"PatientAge": "", "PatientBirthDate": "00020101", "StudyDate": "00010601"}, None),
])  # fmt: skip
def test_ages(elements: dict[str, str], years: float | None):
    assert gate.age_years(_header(**elements)) == (None if years is None else pytest.approx(years, abs=2e-3))


@pytest.mark.parametrize(("born", "old_enough"), [("20020401", True), ("20020402", False)])
def test_the_age_limit_falls_on_the_birthday(born: str, old_enough: bool):
    header = _header(PatientAge="", PatientBirthDate=born)
    assert (gate.age_years(header) >= 18) is old_enough


def test_unknown_age_is_accepted_and_the_limit_itself_too():
    for age in ("017Y", "006M"):
        with pytest.raises(ImageRefused) as refusal:
            gate.check_header(_header(PatientAge=age), 18, Limits(), 128)
        assert refusal.value.reason == Reason.BELOW_AGE_LIMIT
    gate.check_header(_header(PatientAge="018Y"), 18, Limits(), 128)
    gate.check_header(_header(PatientAge="", PatientBirthDate=""), 18, Limits(), 128)


@pytest.mark.parametrize(("text", "day"), [
    ("20200229", date(2020, 2, 29)), ("2020.03.01", date(2020, 3, 1)), ("2020-03-01", date(2020, 3, 1)), ("20200230", None), ("", None),
    ("202003", None), ("unknown!", None),
])  # fmt: skip
def test_dates(text: str, day: date | None):
    assert gate.dicom_date(text) == day


def test_a_strip_is_no_radiograph():
    for shape in ((512, 1), (15, 512)):
        with pytest.raises(ImageRefused, match="strip") as refusal:
            gate.check_content(np.zeros(shape, np.uint8), np.ones(shape, bool))
        assert refusal.value.reason == Reason.TOO_SMALL


def test_blank_content():
    chest = (hostile.chest() >> 4).astype(np.uint8)
    everywhere = np.ones(chest.shape, bool)
    gate.check_content(chest, everywhere)
    faint = (100 + chest // 32).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, chest.shape).astype(np.uint8)
    for content, valid in ((faint, everywhere), (noise, everywhere), (np.full_like(chest, 255), everywhere), (chest, ~everywhere)):
        with pytest.raises(ImageRefused) as refusal:
            gate.check_content(content, valid)
        assert refusal.value.reason == Reason.BLANK


PICTURES = {
    "landscape": pictures.landscape, "clouds": pictures.clouds, "cartoon": pictures.cartoon, "heat map": pictures.with_heatmap,
    "another landscape": lambda: pictures.landscape(5), "more clouds": lambda: pictures.clouds(9),
}  # fmt: skip
RADIOGRAPHS = {
    "grey": pictures.radiograph, "annotated": pictures.annotated, "bluish film": lambda: pictures.tinted(0.85, 0.95, 1.1),
    "yellowish film": lambda: pictures.tinted(1.05, 1, 0.7), "green screen": lambda: pictures.tinted(0.5, 1, 0.33),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_in_colours_are_refused(name: str):
    with pytest.raises(ImageRefused) as refusal:
        gate.check_colours(sample_of_image(PICTURES[name]()))
    assert refusal.value.reason == Reason.NOT_A_RADIOGRAPH


@pytest.mark.parametrize("name", RADIOGRAPHS)
def test_letters_and_tints_are_no_reason(name: str):
    gate.check_colours(sample_of_image(RADIOGRAPHS[name]()))
    gate.check_colours(None)


@pytest.mark.parametrize("quality", [None, 90, 50])
def test_drawings_and_pages_are_refused(quality: int | None):
    drawings = [pictures.cartoon("L", seed, background) for seed, background in ((0, 220), (1, 90), (2, 0), (3, 255))]
    for image in (*drawings, pictures.page()):
        file = io.BytesIO()
        image.save(file, "JPEG" if quality else "PNG", **({"quality": quality} if quality else {}))
        with pytest.raises(ImageRefused) as refusal:
            gate.check_drawing(_content(np.asarray(Image.open(file))))
        assert refusal.value.reason == Reason.NOT_A_RADIOGRAPH


def _content(grey: np.ndarray) -> np.ndarray:
    height, width = preprocess.fitted_size(*grey.shape)
    return np.rint(preprocess.resize(grey, (0.0, 0.0, *map(float, grey.shape)), height, width)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(128, 128), (200, 170), (620, 560), (2000, 1700)])
def test_radiographs_are_no_drawings(shape: tuple[int, int]):
    for seed in range(3):
        chest = hostile.chest(*shape, 8, seed)
        gate.check_drawing(_content(chest))
        framed = np.pad(chest, shape[0] // 4)  # a black frame is no paint
        gate.check_drawing(_content(framed))
