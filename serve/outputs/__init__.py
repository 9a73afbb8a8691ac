"""Answers in the forms that hospitals read: DICOM SR, SEG and Secondary Capture, and FHIR. Each form is a pure function."""
