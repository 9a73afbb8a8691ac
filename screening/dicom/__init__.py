"""DICOM files, plain functions from bytes to values and back: header, pixels, and the writer of synthetic ones."""
