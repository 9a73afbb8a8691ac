"""What became of an image, how far it came, and why it went no further."""

from enum import StrEnum


class Outcome(StrEnum):
    """The end of every row. A rejected image is not a negative one."""

    SCORED = "scored"  # the cascade judged it
    REJECTED = "rejected"  # it is not an image that the cascade may judge
    FAILED = "failed"  # it might be one, but something of ours or of the store went wrong: `screening redrive`


class Stage(StrEnum):
    """The last stage that finished for a row, in the order of the flow."""

    INDEX = "index"  # found in the archive, not yet read
    INGEST = "ingest"  # read, decoded and passed by the gate
    LUNGS = "lungs"  # stage 1
    PNEUMONIA = "pneumonia"  # stage 2
    COVID = "covid"  # stage 3


class Reason(StrEnum):
    """Why a row was rejected or failed; null for a scored one.

    Each member holds the outcome it leads to and a description that a clerk can act on.
    """

    def __new__(cls, value: str, outcome: Outcome, description: str) -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.outcome = outcome
        member.description = description
        return member

    outcome: Outcome
    description: str

    @classmethod
    def known(cls, code: str) -> "Reason | None":
        """Return the reason of a code; None where this version does not know it, as in results that a later one wrote."""
        return cls._value2member_map_.get(code)

    NOT_DICOM = "not_dicom", Outcome.REJECTED, "neither DICOM nor a PNG or JPEG image"
    NO_PIXELS = "no_pixels", Outcome.REJECTED, "a DICOM object without pixel data, such as a report or a presentation state"
    TRUNCATED = "truncated", Outcome.REJECTED, "the file ends before its header or pixel data do; send it again"
    CORRUPT = "corrupt", Outcome.REJECTED, "header or pixel data contradict themselves or cannot be decoded"
    UNSUPPORTED_TRANSFER_SYNTAX = (
        "unsupported_transfer_syntax", Outcome.REJECTED, "the pixel data are coded in a way that no decoder here reads",
    )  # fmt: skip
    WRONG_MODALITY = "wrong_modality", Outcome.REJECTED, "Modality is not a projection radiograph (CR, DX, or a film scan)"
    WRONG_BODY_PART = "wrong_body_part", Outcome.REJECTED, "BodyPartExamined or the view code names another part than the chest"
    LATERAL_VIEW = "lateral_view", Outcome.REJECTED, "not a frontal (PA or AP) projection"
    NOT_FOR_SCREENING = (
        "not_for_screening",
        Outcome.REJECTED,
        "marked as processed or derived: a screenshot, a subtraction, a composed image",
    )
    NOT_A_RADIOGRAPH = "not_a_radiograph", Outcome.REJECTED, "a colour picture, a drawing or a page of text, not a radiograph"
    BELOW_AGE_LIMIT = "below_age_limit", Outcome.REJECTED, "the patient is younger than the bundle's training population"
    SEVERAL_FRAMES = "several_frames", Outcome.REJECTED, "more than one frame: a cine loop or a tomosynthesis, not a radiograph"
    TOO_SMALL = "too_small", Outcome.REJECTED, "fewer rows or columns than the cascade needs"
    TOO_LARGE = "too_large", Outcome.REJECTED, "more pixels or bytes than the limits against hostile files allow"
    IMPLAUSIBLE_COMPRESSION = "implausible_compression", Outcome.REJECTED, "expands more than the limits against hostile files allow"
    BLANK = "blank", Outcome.REJECTED, "no contrast: an unexposed or saturated image"
    INVERTED = "inverted", Outcome.REJECTED, "black and white are swapped in a way that could not be undone with confidence"
    LUNGS_NOT_FOUND = (
        "lungs_not_found",
        Outcome.REJECTED,
        "stage 1 found no lungs of plausible area: not a chest radiograph, or not a readable one",
    )

    OBJECT_MISSING = "object_missing", Outcome.FAILED, "the object was in the index but is gone from the store, or has changed since"
    READ_FAILED = "read_failed", Outcome.FAILED, "the store did not give the object after all retries"
    DECODE_TIMEOUT = "decode_timeout", Outcome.FAILED, "decoding outlasted its time limit"
    DECODER_DIED = "decoder_died", Outcome.FAILED, "the decoder process died on this image"
    WORKER_DIED = "worker_died", Outcome.FAILED, "a worker process died on this image, also when it was given no other"
    INTERNAL_ERROR = "internal_error", Outcome.FAILED, "an unexpected error of this software; the log of the run has it"
