"""The same preprocessing by another road: pydicom at full resolution, window first, resize last with matrices of pixel overlaps."""

import io

import numpy as np
import pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut


def overlaps(length: int, count: int) -> np.ndarray:
    """Return (count, length): what share of each of `count` equal parts each pixel of a row of `length` makes up."""
    edges = np.linspace(0, length, count + 1)
    at = np.arange(length)
    shares = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return np.clip(shares, 0, None) * count / length


def area_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return (height, width) float64 area means of a (rows, columns) image."""
    return overlaps(image.shape[0], height) @ image.astype(float) @ overlaps(image.shape[1], width).T


def fitted(rows: int, columns: int) -> tuple[int, int]:
    """Return the size of an image that just fits into 512 x 512."""
    longer = max(rows, columns)
    return round(512 * rows / longer), round(512 * columns / longer)


def plain_pixels(data: bytes) -> np.ndarray:
    """Return (h, w) float64 grey levels of a DICOM file that fit 512 x 512."""
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    return area_resize(windowed(dataset.pixel_array, dataset), *fitted(dataset.Rows, dataset.Columns))


def windowed(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Return the grey levels, 0 to 255, of stored values by pydicom's look-up tables."""
    values = apply_modality_lut(stored, dataset).astype(float)
    if "VOILUTSequence" in dataset:
        entry_bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        shown = apply_voi_lut(apply_modality_lut(stored, dataset), dataset) / (2**entry_bits - 1)
    elif "WindowWidth" in dataset:
        # pydicom scales to the stored range; only the place within it matters
        output = apply_voi_lut(values, dataset, prefer_lut=False)
        if "ModalityLUTSequence" in dataset:
            low, high = 0, 2 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
        elif "RescaleSlope" in dataset:
            ends = np.array([-(2 ** (dataset.BitsStored - 1)), 2 ** (dataset.BitsStored - 1) - 1])
            ends = ends if dataset.PixelRepresentation else np.array([0, 2**dataset.BitsStored - 1])
            low, high = sorted(ends * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept))
        elif dataset.PixelRepresentation:
            low, high = -(2 ** (dataset.BitsStored - 1)), 2 ** (dataset.BitsStored - 1) - 1
        else:
            low, high = 0, 2**dataset.BitsStored - 1
        shown = (output - low) / (high - low)
    elif dataset.BitsStored <= 8:
        shown = values / (2**dataset.BitsStored - 1)
    else:
        low, high = np.percentile(values, (0.5, 99.5))
        shown = np.clip((values - low) / (high - low), 0, 1)
    return 255 * (1 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown)
