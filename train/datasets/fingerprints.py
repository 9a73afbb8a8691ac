"""What an image looks like in a few bytes: computed once for every image, through the decoding that training and screening use.

The perceptual hash holds the signs of the lowest 16 x 16 coefficients of a discrete cosine transform, as pHash does (Zauner 2010), but of
the ranks of the pixels, so that no change of tone matters, and of what lies inside the borders. All chests look alike: of the 936,000 pairs
among 1,369 real radiographs 1,400 pairs of strangers are within 4 bits of a 64-bit difference hash. Of this one, 256 bits long, strangers
are 62 bits apart or more; of copies that were compressed, scaled to 224 x 224, windowed, equalized, inverted, framed by 5 % or cropped by
1 %, 98 to 100 % are close as `duplicates` says.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context

import numpy as np
from PIL import Image
from scipy.fft import dctn

from schemas.progress import OnProgress, counter, unwatched
from schemas.reasons import Reason
from screening.archive.reader import ObjectReader
from screening.dicom.header import is_dicom, read_dicom
from screening.errors import ImageRefused
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from screening.ingest.preprocess import SIZE, fitted_size
from train.datasets.rows import age_in_years

WORDS = 4  # 64-bit words of a perceptual hash
_GRID, _COEFFICIENTS = 32, 16  # pixels a side that are transformed, and coefficients kept a side
_COARSE = 8  # coefficients a side in the first word
_BORDER_CONTRAST = 0.06  # rows and columns at the edge with less than this share of the image's contrast are border
_STEP = 4  # of the pixels of a row or column that its contrast is measured on
_IMAGES_PER_TASK = 32
_IN_PROCESS = 256  # images that are not worth the start of processes


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One image: the hash of its 512 x 512 pixels as ingest makes them, its perceptual hash, and what a DICOM header says of it.

    `perceptual` is WORDS unsigned 64-bit integers; their first is the hash of the 8 x 8 lowest coefficients. Where ingest refused the image
    `refusal` is its reason, and there is nothing else.
    """

    refusal: Reason | None = None
    pixel_hash: str = ""
    perceptual: tuple[int, ...] = ()
    view: str = ""
    sex: str = ""
    age_years: float | None = None


def fingerprints(
    urls: Sequence[str], min_age_years: float, *, processes: int = 1, on_progress: OnProgress = unwatched
) -> list[Fingerprint]:
    """Return the fingerprint of each image, in the order of `urls`."""
    tasks = [urls[at : at + _IMAGES_PER_TASK] for at in range(0, len(urls), _IMAGES_PER_TASK)]
    ages = [min_age_years] * len(tasks)
    told = counter(on_progress, "decoding", len(urls))
    if processes == 1 or len(urls) <= _IN_PROCESS:
        return list(chain.from_iterable(_counted(map(_fingerprint_task, tasks, ages), told)))
    # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(chain.from_iterable(_counted(pool.map(_fingerprint_task, tasks, ages), told)))


def available_processes() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _counted(results: Iterable[list[Fingerprint]], told: Callable[[int], None]) -> Iterator[list[Fingerprint]]:
    for result in results:
        told(len(result))
        yield result


def _fingerprint_task(urls: Sequence[str], min_age_years: float) -> list[Fingerprint]:
    config = IngestConfig(min_age_years=min_age_years)
    with ObjectReader(config.limits.max_bytes) as reader:
        return [_fingerprint_at(reader, url, config) for url in urls]


def _fingerprint_at(reader: ObjectReader, url: str, config: IngestConfig) -> Fingerprint:
    try:
        return fingerprint(reader.read(url), config)
    except ImageRefused as refusal:
        return Fingerprint(refusal.reason)


def fingerprint(data: bytes, config: IngestConfig) -> Fingerprint:
    """Return the fingerprint of an image file. It never raises for a fault of the image."""
    found = ingest(data, config, None)
    columns = found.columns
    age = columns.get("age_years")
    if age is None and is_dicom(data):
        # RSNA writes PatientAge without the unit that PS3.5 6.2 asks for
        age = age_in_years(read_dicom(data, config.limits).header.text("PatientAge"))
        if found.refusal is None and age is not None and age < config.min_age_years:
            return Fingerprint(Reason.BELOW_AGE_LIMIT)
    if found.refusal is not None:
        return Fingerprint(found.refusal.reason)
    height, width = fitted_size(int(columns["Rows"]), int(columns["Columns"]))
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    return Fingerprint(
        None,
        str(columns["pixel_hash"]),
        perceptual_hash(found.pixels[top : top + height, left : left + width]),
        str(columns.get("ViewPosition") or ""),
        str(columns.get("PatientSex") or ""),
        age,
    )


def perceptual_hash(pixels: np.ndarray) -> tuple[int, ...]:
    """Return the perceptual hash of (h, w) uint8 pixels: WORDS unsigned 64-bit integers.

    The first bit is always 0, for the mean says nothing.
    """
    small = Image.fromarray(without_border(pixels)).resize((_GRID, _GRID), Image.Resampling.BOX)
    flat = np.asarray(small).ravel()
    ranks = np.empty(flat.size, np.float64)
    ranks[np.argsort(flat, kind="stable")] = np.arange(flat.size)
    bits = dctn(ranks.reshape(_GRID, _GRID) - ranks.mean())[:_COEFFICIENTS, :_COEFFICIENTS] > 0
    bits[0, 0] = False
    coarse = np.zeros((_COEFFICIENTS, _COEFFICIENTS), bool)
    coarse[:_COARSE, :_COARSE] = True
    ordered = np.concatenate([bits[coarse], bits[~coarse]])
    return tuple(int(word) for word in np.packbits(ordered).view(">u8"))


def without_border(pixels: np.ndarray) -> np.ndarray:
    """Return (h, w) pixels less the rows and columns of one shade at their edges; all of them where half of a side would go."""
    contrast = _BORDER_CONTRAST * np.subtract(*np.percentile(pixels[::_STEP, ::_STEP], (98, 2))) + 2
    inner, before = pixels, None
    while inner.shape != before:  # a frame gives contrast to the rows and columns that cross it, until it is gone
        before = inner.shape
        inner = inner[_varied(inner[:, ::_STEP], contrast)]
        inner = inner[:, _varied(inner[::_STEP].T, contrast)]
        if 2 * inner.shape[0] < pixels.shape[0] or 2 * inner.shape[1] < pixels.shape[1]:
            return pixels
    return np.ascontiguousarray(inner)


def _varied(rows: np.ndarray, contrast: float) -> slice:
    """Return the rows from the first to the last that have more than some contrast."""
    low, high = np.percentile(rows, (2, 98), axis=1)
    inside = np.flatnonzero(high - low > contrast)
    return slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0)
