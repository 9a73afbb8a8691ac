"""The checks that an image is a frontal chest radiograph that the cascade may judge: first of its header, then of its pixels.

Headers of real archives are sparse: an attribute that is absent or empty never refuses an image, one that says something else does.
"""

import re
from datetime import date

import numpy as np

from schemas.reasons import Reason
from screening.dicom.header import Header
from screening.dicom.limits import Limits
from screening.errors import ImageRefused
from screening.ingest.words import FRONTAL_VIEWS, LATERAL_VIEWS, names_chest, names_nothing, view_words

# CR, DX; RG: digitised film; DR: what some older units write for DX
MODALITIES = frozenset(["CR", "DX", "RG", "DR"])
# Computed Radiography, Digital X-Ray for presentation: enough where Modality is empty
RADIOGRAPH_CLASSES = frozenset(["1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"])
FOR_PROCESSING_CLASS = "1.2.840.10008.5.1.4.1.1.1.1.1"
CHEST_CODES = frozenset(["51185008", "816094009", "39607008", "43799004", "T-D3000", "T-28000", "T-D3200"])  # SCT and SRT, CID 4
FRONTAL_CODES = frozenset(["272479007", "399348003", "399033003", "R-40888", "R-10214", "R-10206", "R-10202"])  # CID 4010
LATERAL_CODES = frozenset(["399173006", "399198007", "399067008", "399260004", "399352003"]) | frozenset(
    ["R-10236", "R-10232", "R-102CD", "R-10224", "R-10228"]
)
# values 3 and up of ImageType; DERIVED\PRIMARY and DERIVED\SECONDARY alone are what ordinary archives hold
PROCESSED_TYPES = frozenset([
    "SCREENSAVE", "SCREENSHOT", "CAPTURE", "SUBTRACTION", "SUB", "SUBTRACTED", "COMPOSED", "COMPOSITE", "STITCHED", "LOCALIZER",
    "REPORT", "CAD", "CADRESULT", "BONESUPPRESSED", "SOFTTISSUE", "BONE", "DUALENERGY", "HEATMAP", "COLLAGE",
])  # fmt: skip
MAX_AGE_YEARS = 130
_UNITS_PER_YEAR = {"D": 365.2425, "W": 365.2425 / 7, "M": 12, "Y": 1}

BLANK_GREY_LEVELS = 8  # between the 1st and the 99th percentile; the flattest of 1,369 public radiographs has several times that
COLOURED = 16.0  # of 128: chroma beyond that of compression and of the noise of a camera
MAX_COLOURED_FRACTION = 0.1  # letters and arrows on a radiograph are less
_LUMA_STEP = 8.0  # grey levels within which a tint is one colour
MAX_FLAT_FRACTION = 0.5  # of the pixels that are not black: equal to their four neighbours. The flattest of 2,136 radiographs has 0.27
MAX_WHITE_FRACTION = 0.5  # of all pixels. The whitest of the same radiographs has 0.31
_BLACK, _WHITE = 10, 240
MIN_FITTED_SIDE = 16  # pixels of the shorter side of an image that fits 512 x 512
BLANK_CORRELATION = 0.5  # of neighbouring pixels; below it the image is noise, above 0.9 in every radiograph


def check_header(header: Header, min_age_years: float, limits: Limits, min_side: int) -> None:
    """Refuse by the header alone, before any pixel is decoded.

    Raises ImageRefused: WRONG_MODALITY, SEVERAL_FRAMES, NOT_FOR_SCREENING, WRONG_BODY_PART, LATERAL_VIEW, BELOW_AGE_LIMIT, TOO_LARGE,
    TOO_SMALL.
    """
    _check_modality(header)
    frames = header.integer("NumberOfFrames", 1)
    if frames > 1:
        raise ImageRefused(Reason.SEVERAL_FRAMES, "NumberOfFrames (0028,0008) is more than 1")
    _check_processing(header)
    _check_body_part(header)
    if is_lateral(header):
        raise ImageRefused(Reason.LATERAL_VIEW, "ViewPosition, ViewCodeSequence, PatientOrientation or the series description says so")
    age = age_years(header)
    if age is not None and age < min_age_years:
        raise ImageRefused(Reason.BELOW_AGE_LIMIT, f"the patient is younger than {min_age_years:g} years")
    check_size(header.integer("Rows", 0), header.integer("Columns", 0), limits, min_side)


def check_size(rows: int, columns: int, limits: Limits, min_side: int) -> None:
    """Raise TOO_LARGE or TOO_SMALL. A size of zero is for the decoder to refuse."""
    if rows * columns > limits.max_pixels:
        raise ImageRefused(Reason.TOO_LARGE, f"{rows} x {columns} pixels, more than {limits.max_pixels} in all")
    if 0 < min(rows, columns) < min_side:
        raise ImageRefused(Reason.TOO_SMALL, f"{rows} x {columns} pixels, fewer than {min_side} on a side")


def _check_modality(header: Header) -> None:
    modality = header.text("Modality").upper()
    if modality in MODALITIES or (not modality and header.text("SOPClassUID") in RADIOGRAPH_CLASSES):
        return
    raise ImageRefused(Reason.WRONG_MODALITY, f"Modality (0008,0060) is not one of {', '.join(sorted(MODALITIES))}")


def _check_processing(header: Header) -> None:
    if header.text("PresentationIntentType").upper() == "FOR PROCESSING" or header.text("SOPClassUID") == FOR_PROCESSING_CLASS:
        raise ImageRefused(Reason.NOT_FOR_SCREENING, "PresentationIntentType is FOR PROCESSING: send the image for presentation")
    values = [re.sub(r"[^A-Z]", "", value.upper()) for value in header.texts("ImageType")[2:]]
    if not PROCESSED_TYPES.isdisjoint(values):
        raise ImageRefused(Reason.NOT_FOR_SCREENING, "ImageType (0008,0008) names a processed or derived image")


def _check_body_part(header: Header) -> None:
    part = header.text("BodyPartExamined")
    if names_nothing(part):
        if _region_is_chest(header) is False:
            raise ImageRefused(Reason.WRONG_BODY_PART, "AnatomicRegionSequence (0008,2218) names another part than the chest")
    elif not names_chest(part) and part.upper() not in CHEST_CODES:
        raise ImageRefused(Reason.WRONG_BODY_PART, "BodyPartExamined (0018,0015) names another part than the chest")


def _region_is_chest(header: Header) -> bool | None:
    """Tell whether AnatomicRegionSequence names the chest; None where it names nothing."""
    items = header.items("AnatomicRegionSequence")
    named = [(item.text("CodeValue"), item.text("CodeMeaning")) for item in items]
    if not any(value or meaning for value, meaning in named):
        return None
    return any(value in CHEST_CODES or names_chest(meaning) for value, meaning in named)


def is_lateral(header: Header) -> bool:
    """Tell whether the view is lateral, oblique or decubitus, by the first of these that says anything:

    ViewPosition, ViewCodeSequence, PatientOrientation, and the series description, which counts only where it names no frontal view
    beside the lateral one ("PA and lateral").
    """
    for words in (view_words(header.text("ViewPosition")), view_words(" ".join(_view_codes(header)))):
        if words & LATERAL_VIEWS:
            return True
        if words & FRONTAL_VIEWS:
            return False
    orientation = [value[:1].upper() for value in header.texts("PatientOrientation")]
    if len(orientation) == 2 and all(orientation):
        return "A" in orientation or "P" in orientation
    words = view_words(f"{header.text('SeriesDescription')} {header.text('ProtocolName')}")
    return bool(words & LATERAL_VIEWS) and not words & FRONTAL_VIEWS


def _view_codes(header: Header) -> list[str]:
    """Return the words of the view codes: of known codes the standard's, of others their meaning."""
    words = []
    for item in header.items("ViewCodeSequence"):
        value = item.text("CodeValue")
        words.append("FRONTAL" if value in FRONTAL_CODES else "LATERAL" if value in LATERAL_CODES else item.text("CodeMeaning"))
        modifiers = item.items("ViewModifierCodeSequence")
        words += [modifier.text("CodeMeaning") for modifier in modifiers]
    return words


def age_years(header: Header) -> float | None:
    """Return PatientAge (0010,1010; nnnD, nnnW, nnnM, nnnY), or else the time from PatientBirthDate to the study; None where unknown.

    This is for the age limit of infants, too. It must not be written: with the date of the study it gives the birth date away.
    """
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", header.text("PatientAge").upper())
    if stated:
        years = int(stated[1]) / _UNITS_PER_YEAR[stated[2]]
        return years if years <= MAX_AGE_YEARS else None
    born = dicom_date(header.text("PatientBirthDate"))
    taken = next(filter(None, map(dicom_date, map(header.text, ("StudyDate", "AcquisitionDate", "SeriesDate", "ContentDate")))), None)
    if born is None or taken is None or taken < born:
        return None
    years = _years_between(born, taken)
    return years if years <= MAX_AGE_YEARS else None


def _years_between(born: date, day: date) -> float:
    """Return the birthdays that have passed, and the days since the last one as a share of 366, so that a birthday gives a whole number."""
    completed = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    try:
        last = born.replace(year=born.year + completed)
    except ValueError:  # born on February 29, which this year has not
        last = date(born.year + completed, 3, 1)
    return completed + (day - last).days / 366


def dicom_date(text: str) -> date | None:
    """Return a DA value (PS3.5 6.2; also with dots or dashes, as before 1993), or None where it is no date."""
    digits = re.fullmatch(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", text)
    try:
        return date(*map(int, digits.groups())) if digits else None
    except ValueError:
        return None


def check_content(content: np.ndarray, valid: np.ndarray) -> None:
    """Raise BLANK where (h, w) uint8 grey values hold no image: no contrast, or nothing but noise. `valid` is false on padding.

    Raises TOO_SMALL where they are a strip: the sides of a radiograph do not differ 32-fold.
    """
    if min(content.shape) < MIN_FITTED_SIDE:
        raise ImageRefused(Reason.TOO_SMALL, f"a strip: {min(content.shape)} pixels across once it is {max(content.shape)} long")
    values = content[valid]
    if values.size < 0.05 * content.size:
        raise ImageRefused(Reason.BLANK, "nearly all pixels are padding")
    low, high = np.percentile(values[::7], (1, 99))
    if high - low < BLANK_GREY_LEVELS:
        raise ImageRefused(Reason.BLANK, f"{high - low:.0f} of 255 grey levels between the 1st and the 99th percentile")
    if neighbour_correlation(content) < BLANK_CORRELATION:
        raise ImageRefused(Reason.BLANK, "neighbouring pixels are unrelated: noise")


def check_colours(colours: np.ndarray | None) -> None:
    """Raise NOT_A_RADIOGRAPH where a sample of pixels, (n, 3) float32 luma in [0, 255], Cb and Cr around 0, is one of a colour picture.

    Coloured letters on a radiograph are few pixels. A photograph of a film has a tint, which is one hue whose strength depends on
    brightness alone; a picture has several hues, or grey and coloured things of one brightness.
    """
    if colours is None:
        return
    luma, chroma = colours[:, 0], colours[:, 1:]
    is_coloured = np.hypot(*chroma.T) > COLOURED
    if is_coloured.mean() <= MAX_COLOURED_FRACTION:
        return
    hue = chroma[is_coloured].mean(axis=0)
    hue /= max(float(np.hypot(*hue)), 1e-6)
    along, across = chroma @ hue, chroma @ np.array([-hue[1], hue[0]])
    step = (luma / _LUMA_STEP).astype(np.intp)
    tint = np.bincount(step, along) / np.maximum(np.bincount(step), 1)
    off_tint = np.hypot(along - tint[step], across) > COLOURED
    if off_tint.mean() > MAX_COLOURED_FRACTION:
        raise ImageRefused(Reason.NOT_A_RADIOGRAPH, f"{off_tint.mean():.0%} of the pixels are in colours: a picture, or an overlay of one")


def check_drawing(content: np.ndarray) -> None:
    """Raise NOT_A_RADIOGRAPH where (h, w) uint8 grey values, bone bright, are those of a drawing or a page: flat paint or white paper."""
    inner, is_visible = content[1:-1, 1:-1], content[1:-1, 1:-1] > _BLACK
    neighbours = (content[:-2, 1:-1], content[2:, 1:-1], content[1:-1, :-2], content[1:-1, 2:])
    is_flat = is_visible & np.logical_and.reduce([inner == neighbour for neighbour in neighbours])
    flat = is_flat.sum() / max(1, is_visible.sum())
    if flat > MAX_FLAT_FRACTION:
        raise ImageRefused(Reason.NOT_A_RADIOGRAPH, f"{flat:.0%} of what is not black has one shade with all around it: a drawing")
    white = float((content >= _WHITE).mean())
    if white > MAX_WHITE_FRACTION:
        raise ImageRefused(Reason.NOT_A_RADIOGRAPH, f"{white:.0%} of the image are white, as on a page")


def neighbour_correlation(content: np.ndarray) -> float:
    """Return the correlation in [-1, 1] of every second row's pixels with those to their right."""
    rows = content[::2].astype(np.float32)
    rows -= rows.mean()
    power = float((rows * rows).mean())
    return float((rows[:, 1:] * rows[:, :-1]).mean()) / power if power > 0 else 1.0
