"""DICOM SEG of the lungs that stage 1 found: binary, one segment, pixel for pixel on the source image."""

from datetime import datetime

import highdicom as hd
import numpy as np
from highdicom import seg
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept

from schemas.bundle import DIGEST_LENGTH, BundleManifest
from schemas.heatmap import HeatmapKind
from screening.errors import OutputRefused
from screening.ingest.preprocess import unletterbox
from screening.on_demand.scored import Scored
from serve.outputs.dicom_object import building, file_of, place_of, reference_of
from serve.outputs.findings import LUNG, SOFTWARE, ascii_name, named
from serve.outputs.source import SourceImage

SERIES_NUMBER = 9002


def segmentation(source: SourceImage, scored: Scored, bundle: BundleManifest, when: datetime) -> bytes:
    """Return the SEG as the bytes of a DICOM file. `when` is the time that it bears.

    Raises OutputRefused where no lung mask was kept, or where it is of an image of another size.
    """
    said, mask = named(scored.answer), scored.heatmaps.get(HeatmapKind.LUNGS)
    if mask is None:
        raise OutputRefused(f"{said} has no lung mask: screen with --heatmaps all, which keeps that of every scored row")
    if (scored.answer.Rows, scored.answer.Columns) != (source.rows, source.columns):
        raise OutputRefused(f"{said} has other Rows and Columns than the image that was judged: give the file that was judged")
    lungs = unletterbox(mask, source.rows, source.columns) > 0
    if not lungs.any():
        raise OutputRefused(f"{said} has an empty lung mask, and a SEG has a frame at least: ask for the form sr")
    with building():
        place = place_of(source, bundle, SERIES_NUMBER, "seg")
        built = seg.Segmentation(
            source_images=[reference_of(source)],
            pixel_array=lungs.astype(np.uint8),
            segmentation_type=seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[_lungs(bundle, source)],
            content_label="LUNGS",
            content_description="Lungs as stage 1 found them (research use)",
            series_description="Lungs (research use)",
            **place,
        )
        _name_dimensions(built, source.uid(bundle.digest(), "seg", "dimensions"))
        return file_of(built, source, when)


def _lungs(bundle: BundleManifest, source: SourceImage) -> seg.SegmentDescription:
    return seg.SegmentDescription(
        segment_number=1,
        segment_label="Lungs",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=Concept(LUNG.value, LUNG.scheme, LUNG.meaning),
        algorithm_type=seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=f"{SOFTWARE} lungs: {bundle.networks['lungs'].architecture}",
            family=codes.DCM.ArtificialIntelligence,
            version=f"{ascii_name(bundle)} {bundle.digest()[:DIGEST_LENGTH]}",
            source=SOFTWARE,
        ),
        tracking_uid=source.uid(bundle.digest(), "seg", "tracking"),
        tracking_id="lungs",
    )


def _name_dimensions(built: Dataset, uid: str) -> None:
    """Give the dimensions (PS3.3 C.7.6.17) a UID that is always the same; highdicom's is a new one each time."""
    for item in (*built.DimensionOrganizationSequence, *built.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
