"""Instance row: the answer of one bundle for one object of the index. Every object has exactly one per bundle."""

import pyarrow as pa

from schemas.columns import column, table_schema
from schemas.index import OBJECT_COLUMNS

IMAGE_SIZE = 512  # pixels a side of what ingest makes of every image: what the cascade sees and pixel_hash is over

_dicom = "as in the DICOM header"
_uid = f"{_dicom}; its keyed pseudonym on demand, where it holds an identifier of the patient, and where the header is cut"
_term = f"{_dicom}, where it is a term of DICOM's or listed in the sites file; else null"
_text = "as listed in the sites file; else a keyed pseudonym like"

IDENTITY_COLUMNS = [
    column("patient_pseudonym", pa.string(), "keyed HMAC-SHA-256 of PatientID (0010,0020), first 32 hex digits"),
    column("StudyInstanceUID", pa.string(), f"(0020,000D) {_uid}"),
    column("SeriesInstanceUID", pa.string(), f"(0020,000E) {_uid}"),
    column("SOPInstanceUID", pa.string(), f"(0008,0018) {_uid}"),
    column("SOPClassUID", pa.string(), f"(0008,0016) {_dicom}; a private one as the other UIDs"),
    column("TransferSyntaxUID", pa.string(), f"(0002,0010) {_dicom}; a private one as the other UIDs"),
    column("StudyDate", pa.date32(), f"(0008,0020) {_dicom}, where the header is whole; null where it is the birth date"),
    column("AcquisitionDate", pa.date32(), f"(0008,0022) {_dicom}, where the header is whole; null where it is the birth date"),
    column("Modality", pa.string(), f"(0008,0060) {_term}"),
    column("BodyPartExamined", pa.string(), f"(0018,0015) {_term}"),
    column("ViewPosition", pa.string(), f"(0018,5101) {_term}"),
    column("PatientSex", pa.string(), f"(0010,0040) {_dicom}: M, F or O"),
    column("age_years", pa.float32(), "completed years, a whole number: PatientAge (0010,1010), or from PatientBirthDate to the study", "years"),
    column("InstitutionName", pa.string(), f"(0008,0080) {_text} site-1a2b3c4d"),
    column("Manufacturer", pa.string(), f"(0008,0070) {_text} maker-1a2b3c4d"),
    column("ManufacturerModelName", pa.string(), f"(0008,1090) {_text} model-1a2b3c4d"),
    column("PhotometricInterpretation", pa.string(), f"(0028,0004) {_term}"),
    column("Rows", pa.int32(), f"(0028,0010) {_dicom}, or the height of the image file", "pixels"),
    column("Columns", pa.int32(), f"(0028,0011) {_dicom}, or the width of the image file", "pixels"),
    column("BitsStored", pa.int32(), f"(0028,0101) {_dicom}", "bits"),
    column("pixel_hash", pa.string(), "SHA-256 over the 512 x 512 preprocessed pixels, first 32 hex digits: equal for the same image sent twice"),
    column("pixels_inverted", pa.bool_(), "the gate found black and white swapped against the header, and swapped them back"),
]  # fmt: skip

CASCADE_COLUMNS = [
    column("lung_area_fraction", pa.float32(), "share of the image that stage 1 marks as lung, in [0, 1]"),
    column("pneumonia_logit", pa.float32(), "stage 2: log-odds of pneumonia of any kind against normal"),
    column("pneumonia_score", pa.float32(), "sigmoid of pneumonia_logit, in [0, 1], uncalibrated"),
    column("pneumonia_probability", pa.float32(), "pneumonia_score after the bundle's calibration, in [0, 1]; null where the bundle has none"),
    column("pneumonia_positive", pa.bool_(), "pneumonia_probability (pneumonia_score, where there is none) is at or above the bundle's stage-2 operating point"),
    column("audit_sample", pa.bool_(), "negative in stage 2, yet sent to stage 3 to measure what stage 2 loses"),
    column("covid_logit", pa.float32(), "stage 3: log-odds of COVID-19 against other pneumonia; null where stage 3 was not reached"),
    column("covid_score", pa.float32(), "sigmoid of covid_logit, in [0, 1], uncalibrated"),
    column("covid_probability", pa.float32(), "covid_score after the bundle's calibration, in [0, 1]; null where the bundle has none"),
    column("covid_positive", pa.bool_(), "the answer of the cascade: positive in stage 2 and covid_probability (covid_score, where there is none) at or above the stage-3 operating point"),
    column("lung_mask_url", pa.string(), "fsspec URL of the lung mask, 8-bit PNG, 255 inside the lungs"),
    column("pneumonia_heatmap_url", pa.string(), "fsspec URL of the stage-2 class activation map, 8-bit PNG, 0 to 255 for [0, 1]"),
    column("covid_heatmap_url", pa.string(), "fsspec URL of the stage-3 Grad-CAM, 8-bit PNG, 0 to 255 for [0, 1]"),
    column("covid_guided_url", pa.string(), "fsspec URL of the stage-3 Guided Grad-CAM, 8-bit PNG, 128 is zero; illustrates, decides nothing"),
]  # fmt: skip

POINT_COLUMNS = [
    column("operating_point", pa.string(), "what judged the row: bundle, its operating points; site, those of its own that the row's InstitutionName has; null where no stage judged, and in rows of earlier versions"),
    column("pneumonia_threshold", pa.float64(), "the stage-2 operating point that judged the row, in [0, 1]; null where stage 2 was not reached, and in rows of earlier versions"),
    column("covid_threshold", pa.float64(), "the stage-3 operating point that judged the row, in [0, 1]; null where stage 3 was not reached, and in rows of earlier versions"),
]  # fmt: skip

NETWORK_COLUMNS = [
    column("network_dtype", pa.string(), "precision that the networks judged the row in, bfloat16 or float32; null where none did, and in rows of earlier versions"),
    column("network_batch", pa.int32(), "images of a forward pass of the networks that judged the row; null where none did, and in rows of earlier versions", "images"),
]  # fmt: skip

INSTANCE_SCHEMA = table_schema(
    "instance",
    2,
    [
        column("bundle_digest", pa.string(), "digest of the bundle that answered", nullable=False),
        column("screen_date", pa.date32(), "the night of the run that made the row", nullable=False),
        column("shard_id", pa.string(), "the shard that the row was committed with; runs/*/plan.parquet names its run", nullable=False),
        *OBJECT_COLUMNS,
        column("outcome", pa.string(), "scored, rejected or failed", nullable=False),
        column("reason", pa.string(), "why the row was rejected or failed: a code of schemas.reasons.Reason; null for a scored row"),
        column("detail", pa.string(), "the reason in words, with the attribute and the remedy; never a patient identifier"),
        column("stage_reached", pa.string(), "the last stage that finished: index, ingest, lungs, pneumonia or covid", nullable=False),
        *IDENTITY_COLUMNS,
        *CASCADE_COLUMNS,
        *POINT_COLUMNS,
        *NETWORK_COLUMNS,
    ],
)  # fmt: skip

# since version 1: parts of earlier versions lack them, and read as null
ADDED_COLUMNS = tuple(column.name for column in (*POINT_COLUMNS, *NETWORK_COLUMNS))
