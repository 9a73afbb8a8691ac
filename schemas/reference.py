"""Reference table: what the agency knows of its people, one row per RT-PCR test."""

from enum import StrEnum

import pyarrow as pa

from schemas.columns import column, table_schema


class TestResult(StrEnum):
    """The result of one RT-PCR test."""

    __test__ = False  # not a pytest class

    POSITIVE = "positive"
    NEGATIVE = "negative"
    INDETERMINATE = "indeterminate"


REFERENCE_SCHEMA = table_schema(
    "reference",
    1,
    [
        column("patient_pseudonym", pa.string(), "the same keyed pseudonym of PatientID as in the instance rows", nullable=False),
        column("symptom_onset_date", pa.date32(), "first day of symptoms; null without symptoms or when unknown"),
        column("specimen_date", pa.date32(), "day on which the RT-PCR specimen was taken"),
        column("result_date", pa.date32(), "day on which the RT-PCR result was reported: the confirmation date of a positive one"),
        column("result", pa.string(), "positive, negative or indeterminate", nullable=False),
        column("reading", pa.string(), "a radiologist's reading of the radiograph: normal, pneumonia or covid; null where none was made"),
    ],
)
