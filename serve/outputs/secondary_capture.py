"""DICOM Secondary Capture: one heatmap in colour over its radiograph, with the answer in words below it, all burnt in.

Every viewer shows it, also one that knows neither SR nor SEG.
"""

from datetime import datetime

import numpy as np
from highdicom.sc import SCImage
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from schemas.bundle import DIGEST_LENGTH, BundleManifest
from schemas.heatmap import HEATMAP_SIZE, HeatmapKind
from screening.errors import OutputRefused
from screening.ingest.preprocess import fitted_size
from screening.on_demand.scored import Scored
from screening.results.heatmaps import coloured, overlaid
from serve.outputs.dicom_object import building, file_of, place_of, reference_of
from serve.outputs.findings import RESEARCH_USE, SOFTWARE, ascii_name, findings_of
from serve.outputs.source import SourceImage

SERIES_NUMBER = 9003
TITLES = {
    HeatmapKind.COVID: "COVID-19 heatmap (Grad-CAM)",
    HeatmapKind.PNEUMONIA: "Pneumonia heatmap (class activation map)",
}  # in the order of preference
_ENLARGED = 2  # pixels of the picture for one of the heatmap
_MARGIN, _TEXT, _SMALLEST_WIDTH = 16, 22, 840  # pixels
_COLOUR_BAR = (128, 16)  # width and height in pixels


def secondary_capture(
    source: SourceImage, scored: Scored, bundle: BundleManifest, when: datetime, kind: HeatmapKind | None = None
) -> bytes:
    """Return the Secondary Capture as the bytes of a DICOM file. `when` is the time that it bears.

    `kind` None takes the heatmap of COVID-19 where there is one, else that of pneumonia. Raises OutputRefused where the heatmap or the
    radiograph is not there.
    """
    kind = kind or next((known for known in TITLES if known in scored.heatmaps), HeatmapKind.PNEUMONIA)
    if kind not in scored.heatmaps or kind not in TITLES or scored.pixels is None:
        raise OutputRefused(
            f"there is no heatmap of the kind {kind} to show: screen with --heatmaps all, which keeps those of every scored row"
        )
    picture = burnt_in(scored, bundle, kind, (source.rows, source.columns))
    with building():
        built = SCImage.from_ref_dataset(
            reference_of(source),
            picture,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),  # the source's own takes its place
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            series_description=f"{TITLES[kind]}, {RESEARCH_USE}"[:64],
            **place_of(source, bundle, SERIES_NUMBER, "sc", kind),
        )
        built.Laterality = ""  # type 2C: the chest is no paired part
        built.BurnedInAnnotation = "YES"
        built.RecognizableVisualFeatures = "NO"
        built.DerivationDescription = f"{TITLES[kind]} over the radiograph as {SOFTWARE} saw it"
        built.SourceImageSequence = [_reference(source)]
        return file_of(built, source, when)


def burnt_in(scored: Scored, bundle: BundleManifest, kind: HeatmapKind, shape: tuple[int, int]) -> np.ndarray:
    """Return (h, w, 3) uint8: the heatmap over the radiograph without its black borders, enlarged, and the label below it.

    `shape` is (rows, columns) of the source image.
    """
    height, width = fitted_size(*shape, HEATMAP_SIZE)
    top, left = (HEATMAP_SIZE - height) // 2, (HEATMAP_SIZE - width) // 2
    box = np.s_[top : top + height, left : left + width]
    shown = Image.fromarray(overlaid(scored.pixels[box], scored.heatmaps[kind][box]))
    shown = shown.resize((width * _ENLARGED, height * _ENLARGED), Image.Resampling.BILINEAR)
    label = _label(scored, bundle, kind, max(shown.width, _SMALLEST_WIDTH))
    canvas = Image.new("RGB", (label.width, shown.height + label.height))
    canvas.paste(shown, ((canvas.width - shown.width) // 2, 0))
    canvas.paste(label, (0, shown.height))
    return np.asarray(canvas)


def _label(scored: Scored, bundle: BundleManifest, kind: HeatmapKind, width: int) -> Image.Image:
    """Return the answer in words, white on black, in lines that break where the width ends."""
    font = ImageFont.load_default(_TEXT)
    lines = [
        RESEARCH_USE.upper(),
        f"{TITLES[kind]}, blue low to yellow high",
        *(finding.in_words() for finding in findings_of(scored.answer)),
        f"{SOFTWARE}, bundle {ascii_name(bundle)} {bundle.digest()[:DIGEST_LENGTH]}",
    ]
    lines = [part for line in lines for part in _broken(line, font, width - 2 * _MARGIN)]
    step = round(1.4 * _TEXT)
    label = Image.new("RGB", (width, 2 * _MARGIN + step * len(lines)))
    draw = ImageDraw.Draw(label)
    for i, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + i * step), line, fill="white", font=font)
    ramp = np.broadcast_to(np.linspace(0, 255, _COLOUR_BAR[0]), _COLOUR_BAR[::-1])
    label.paste(Image.fromarray(coloured(ramp).astype(np.uint8)), (width - _MARGIN - _COLOUR_BAR[0], _MARGIN))
    return label


def _broken(line: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return a line as the lines that fit `width` pixels, broken between words."""
    lines = [""]
    for word in line.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _reference(source: SourceImage) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.uids["SOPClassUID"], source.uids["SOPInstanceUID"]
    return item
