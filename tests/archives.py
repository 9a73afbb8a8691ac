"""Small archives of phantoms, and pixels as ingest gives them, for tests of what happens around the cascade."""

from pathlib import Path

import numpy as np

from screening.archive.index import scan
from screening.archive.reader import ObjectReader
from screening.dicom.uids import uid_of
from screening.dicom.writer import StudyAttributes, write_dicom
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.phantom.archive import ArchiveOptions, make_archive
from screening.phantom.radiograph import make_phantom

FINDINGS = ("normal", "pneumonia", "covid")


def phantom_archive(folder: Path, studies: int, seed: int = 0, *, size: int = 256, unwanted_fraction: float = 0.05) -> str:
    """Write a synthetic archive with plain files, zip and tar files and unwanted objects; return the folder to screen."""
    return make_archive(str(folder), studies, seed, ArchiveOptions(size=size, unwanted_fraction=unwanted_fraction)).archive_url


def phantom_dicom(seed: int, finding: str = "normal", size: int = 256, view: str = "PA") -> bytes:
    """Return one phantom as a DICOM file, whose header says that it shows this view."""
    phantom = make_phantom(seed, finding, size=(size, size))
    uids = [uid_of("test", seed, finding, word) for word in ("study", "series", "instance")]
    study = StudyAttributes(*uids, PatientID=f"TEST-{seed}", StudyDate="20200301", ViewPosition=view, PatientAge="050Y")
    return write_dicom((phantom.image * 4095).astype(np.uint16), study)


def phantom_pixels(n: int) -> np.ndarray:
    """Return (n, 1, 512, 512) uint8 phantoms as the cascade sees them."""
    files = [phantom_dicom(1000 + i, FINDINGS[i % 3]) for i in range(n)]
    return np.stack([ingest(data, IngestConfig(), None).pixels[None] for data in files])


def archive_pixels(url: str) -> np.ndarray:
    """Return (n, 1, 512, 512) uint8: the images of an archive that the gate lets through."""
    with ObjectReader(max_bytes=2**30) as reader:
        found = [ingest(reader.read(name), IngestConfig(), None) for batch in scan(url) for name in batch.column("object_url").to_pylist()]
    return np.stack([image.pixels[None] for image in found if image.pixels is not None])
