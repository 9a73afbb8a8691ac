"""Milliseconds to decode one radiograph of 2500 x 2048 pixels, by transfer syntax, beside pydicom at full resolution."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pydicom
from PIL import Image

from schemas.progress import OnProgress, counter, unwatched
from screening.dicom import pixels
from screening.dicom.header import read_dicom
from screening.dicom.limits import Limits
from screening.dicom.uids import uid_of
from screening.dicom.writer import TRANSFER_SYNTAXES, Coding, StudyAttributes, write_dicom
from screening.ingest import preprocess

ROWS, COLUMNS = 2500, 2048


@dataclass(frozen=True)
class DecodeTime:
    """One row of the benchmark: processor time, the best of all repeats. None where pydicom has no decoder for it."""

    transfer_syntax: str
    bits: int
    file_bytes: int
    our_ms: float
    pydicom_ms: float | None  # pixel_array, then a float resize to 512 with Pillow

    @property
    def ratio(self) -> float | None:
        """How many times as fast as pydicom."""
        return None if self.pydicom_ms is None else self.pydicom_ms / self.our_ms


def decode_benchmark(repeats: int = 3, on_progress: OnProgress = unwatched) -> Iterator[DecodeTime]:
    """Yield one row for each transfer syntax as it is measured: 16 bits, 12 for JPEG extended and 8 for JPEG baseline."""
    count = counter(on_progress, "transfer syntaxes", len(TRANSFER_SYNTAXES))
    for name in TRANSFER_SYNTAXES:
        yield _measure(name, repeats)
        count(1)


def _measure(name: str, repeats: int) -> DecodeTime:
    bits = max(TRANSFER_SYNTAXES[name].bits)
    data = write_dicom(radiograph(bits), _study(name), Coding(bits_stored=bits), name)
    return DecodeTime(name, bits, len(data), _best_ms(lambda: our_decode(data), repeats), _pydicom_ms(data, repeats))


def radiograph(bits: int) -> np.ndarray:
    """Return (2500, 2048) uint8 or uint16 that compresses about as a radiograph does: smooth shadows under quantum noise."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    shadow = 0.5 + 0.3 * np.sin(x / 300) * np.cos(y / 400) + 0.05 * np.sin(x / 17 + y / 31)
    noise = np.random.default_rng(7).normal(0, 0.004, shadow.shape)
    full = (1 << bits) - 1
    return np.clip((shadow + noise) * full, 0, full).astype(np.uint8 if bits == 8 else np.uint16)


def _study(name: str) -> StudyAttributes:
    return StudyAttributes(uid_of("benchmark"), uid_of("benchmark", 1), uid_of("benchmark", name), "benchmark", ViewPosition="PA")


def our_decode(data: bytes) -> np.ndarray:
    """Return what ingest makes of the pixels before the gate: (h, w) uint8 that fits 512 x 512."""
    limits = Limits()
    file = read_dicom(data, limits)
    layout = pixels.PixelLayout.of(file.header)
    stored = pixels.decode(file, layout, preprocess.SIZE, limits)
    fitted = preprocess.fit(stored, layout.rows, layout.columns, preprocess.padding_range(file.header))
    return preprocess.to_grey(fitted, stored, file.header)


def pydicom_decode(data: bytes) -> np.ndarray:
    """Return (512, 419) float32 as a plain program would make it: pydicom's pixel array, then a float resize."""
    full = pydicom.dcmread(io.BytesIO(data)).pixel_array.astype(np.float32)
    height, width = preprocess.fitted_size(*full.shape)
    return np.asarray(Image.fromarray(full).resize((width, height), Image.Resampling.BOX))


def _pydicom_ms(data: bytes, repeats: int) -> float | None:
    try:
        return _best_ms(lambda: pydicom_decode(data), repeats)
    except (RuntimeError, NotImplementedError):  # no plugin for this transfer syntax, or one that cannot read it
        return None


def _best_ms(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(max(1, repeats)):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return 1000 * min(times)
