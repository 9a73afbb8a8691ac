"""The forms in which an answer can be written, and how their files are called."""

from enum import StrEnum

DICOM, FHIR_JSON = "application/dicom", "application/fhir+json"


class Form(StrEnum):
    """What an answer can be written as."""

    SR = "sr"  # DICOM Structured Report, TID 1500
    SEG = "seg"  # DICOM Segmentation of the lungs
    SC = "sc"  # DICOM Secondary Capture with a heatmap
    FHIR = "fhir"  # FHIR R4 bundle

    @property
    def suffix(self) -> str:
        """The end of a file's name."""
        return ".fhir.json" if self is Form.FHIR else f".{self}.dcm"

    @property
    def media_type(self) -> str:
        """What HTTP calls the file (RFC 3240, and the FHIR specification)."""
        return FHIR_JSON if self is Form.FHIR else DICOM
