"""From stored values to the pixels that every network sees: (512, 512) uint8, resized first and windowed second.

The look-up tables of DICOM are monotonic and close to linear over neighbouring values, so that windowing 200,000 means instead of
5,000,000 pixels changes the answer by less than one grey level and saves most of the time.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from schemas.reasons import Reason
from screening.dicom.header import Header
from screening.dicom.pixels import StoredPixels
from screening.errors import ImageRefused

SIZE = 512  # pixels a side of everything downstream
_LARGEST = 1e30  # of a rescaled value or a window: squares and differences stay far from what a float32 cannot hold
_SMALLEST_RANGE = 1e-5  # of rescaled values or a window, for the same reason
_RESOLVED_RANGE = 2.0**-16  # of rescaled values, as a share of the largest: 2^8 steps of the 2^24 that a float32 tells apart
_SAMPLED = 64  # one pixel in so many tells below which value an order statistic lies
_ROWS_AT_ONCE = 64  # so that what is summed stays in the processor's cache
WINDOW_PERCENTILES = (0.5, 99.5)  # shown as black and white where the header says nothing and there are more than 8 bits


@dataclass(frozen=True)
class Fitted:
    """An image fitted into SIZE x SIZE. `values` is (h, w) float32 of stored values, `valid` (h, w) bool is false on padding."""

    values: np.ndarray
    valid: np.ndarray


def fitted_size(height: int, width: int, size: int = SIZE) -> tuple[int, int]:
    """Return the (height, width) of an image that keeps its aspect ratio and just fits into `size` x `size`."""
    scale = size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def letterbox(content: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Return (h, w) content in the middle of a (size, size) array of zeros; h and w are at most `size`."""
    height, width = content.shape
    top, left = (size - height) // 2, (size - width) // 2
    padded = np.zeros((size, size), content.dtype)
    padded[top : top + height, left : left + width] = content
    return padded


def unletterbox(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return (rows, columns): for each pixel of a rows x columns image the value of the pixel of `picture` that its centre fell into.

    `picture` is (size, size), e.g. a lung mask, made of what `fit` and `letterbox` gave of that image.
    """
    size = len(picture)
    height, width = fitted_size(rows, columns, size)
    top, left = (size - height) // 2, (size - width) // 2
    down = top + (2 * np.arange(rows) + 1) * height // (2 * rows)
    across = left + (2 * np.arange(columns) + 1) * width // (2 * columns)
    return picture[np.ix_(down, across)]


def fit_mask(mask: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Return a (h, w) bool mask of an image as (size, size) bool, placed as the image's own pixels are."""
    height, width = fitted_size(*mask.shape, size)
    share = resize(mask.astype(np.float32), (0.0, 0.0, float(mask.shape[0]), float(mask.shape[1])), height, width)
    return letterbox(share >= 0.5, size)


def fit(stored: StoredPixels, rows: int, columns: int, padding: tuple[float, float] | None) -> Fitted:
    """Resize stored values of a rows x columns image to fit SIZE x SIZE.

    `padding` is the closed range of values that are no image (PS3.3 C.7.5.1.1.2): they take no part in any mean.
    """
    height, width = fitted_size(rows, columns)
    if padding is not None:
        is_padding = (stored.values >= padding[0]) & (stored.values <= padding[1])
        if is_padding.any():
            return _fit_valid(stored, ~is_padding, height, width)
    values = resize(stored.values, stored.extent, height, width)
    return Fitted(values, np.ones(values.shape, bool))


def _fit_valid(stored: StoredPixels, valid: np.ndarray, height: int, width: int) -> Fitted:
    """Resize by the mean over valid pixels only; a pixel less than half of which is valid becomes padding."""
    weight = resize(valid.view(np.uint8), stored.extent, height, width)
    total = resize(np.where(valid, stored.values, stored.values.dtype.type(0)), stored.extent, height, width)
    enough = weight >= 0.5
    return Fitted(np.divide(total, weight, out=np.zeros_like(total), where=enough), enough)


def resize(values: np.ndarray, extent: tuple[float, float, float, float], height: int, width: int) -> np.ndarray:
    """Return (height, width) float32: the mean of `values` over each new pixel's exact area, or bilinear where the image grows.

    `values` are (h, w) numbers of any type, of which the part `extent` (top, left, bottom, right) is the image.
    """
    if values.shape == (height, width) and extent == (0, 0, height, width):
        return values.astype(np.float32)  # each new pixel is one of the old ones
    top, left, bottom, right = extent
    if height > bottom - top or width > right - left:
        box = (max(0.0, left), max(0.0, top), min(float(values.shape[1]), right), min(float(values.shape[0]), bottom))
        image = Image.fromarray(np.ascontiguousarray(values, np.float32))
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    rows_done = _area_means(values, top, bottom, height)
    return np.ascontiguousarray(_area_means(np.ascontiguousarray(rows_done.T), left, right, width).T)


def _area_means(values: np.ndarray, start: float, stop: float, count: int) -> np.ndarray:
    """Return `count` means of the rows of `values` between `start` and `stop`, whose edges cut rows in proportion."""
    edges = np.clip(np.linspace(start, stop, count + 1), 0, len(values))
    first = np.minimum(edges[:-1].astype(np.int64), len(values) - 1)
    taps = []
    for row in (first + tap for tap in range(int(np.ceil((edges[1:] - first).max())))):
        share = np.clip(np.minimum(edges[1:], row + 1) - np.maximum(edges[:-1], row), 0, None) / np.diff(edges)
        taps.append((np.minimum(row, len(values) - 1), share.astype(np.float32)[:, None]))
    means = np.zeros((count, values.shape[1]), np.float32)
    for at in range(0, count, _ROWS_AT_ONCE):
        part = slice(at, at + _ROWS_AT_ONCE)
        for row, share in taps:
            means[part] += np.multiply(values[row[part]], share[part], dtype=np.float32)
    return means


def area_shares(length: int, count: int) -> np.ndarray:
    """Return (count, length) float32: the share of each of `length` pixels in each of `count` means over equal parts of them.

    The same shares as in `_area_means`. A product with this matrix is the faster way to few means of many pixels.
    """
    edges, at = np.linspace(0, length, count + 1)[:, None], np.arange(length)
    overlap = np.clip(np.minimum(edges[1:], at + 1) - np.maximum(edges[:-1], at), 0, None)
    return (overlap * (count / length)).astype(np.float32)


def padding_range(header: Header) -> tuple[float, float] | None:
    """Return the closed range of PixelPaddingValue and PixelPaddingRangeLimit, or None (PS3.3 C.7.5.1.1.2)."""
    signed = header.integer("PixelRepresentation", 0) == 1
    bounds = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = header.number(keyword)
        if value is not None:
            # "US or SS": the sign follows PixelRepresentation, which an implicit header does not repeat
            bounds.append(value - 65536 if signed and value >= 32768 else value)
    if not bounds or header.number("PixelPaddingValue") is None:
        return None
    return min(bounds), max(bounds)


def to_grey(fitted: Fitted, stored: StoredPixels, header: Header | None) -> np.ndarray:
    """Return (h, w) uint8 in MONOCHROME2 sense, padding black: modality LUT, VOI LUT, then the inversion that the header asks for.

    Without a header (PNG, JPEG) and for colour there is no table to apply. Raises CORRUPT for a modality LUT that no number survives.
    """
    values, (lowest, highest) = fitted.values, stored.value_range
    if stored.colour or header is None:
        shown = windowed_by_range(values, lowest, highest) if stored.bits <= 8 or stored.colour else windowed_by_percentiles(fitted, values)
        inverted = False
    else:
        modality = modality_lut(header, lowest, highest)
        values, bounds = modality(values), modality(np.array([lowest, highest], np.float32))
        voi = voi_shown(values, header, signed=bool(bounds.min() < 0))
        if voi is not None:
            shown = voi
        elif stored.bits <= 8:
            shown = windowed_by_range(values, float(bounds.min()), float(bounds.max()))
        else:
            shown = windowed_by_percentiles(fitted, values)
        inverted = is_inverted(header)
    if inverted:
        shown = 1 - shown
    return np.where(fitted.valid, np.rint(shown * 255), 0).astype(np.uint8)


def is_inverted(header: Header) -> bool:
    """Tell whether the smallest value is to be shown white (PS3.3 C.7.6.3.1.2).

    PresentationLUTShape INVERSE says the same thing again in a DX image (C.8.11.3.1.2), it does not undo it.
    """
    return header.text("PhotometricInterpretation") == "MONOCHROME1" or header.text("PresentationLUTShape") == "INVERSE"


def windowed_by_range(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Return values in [0, 1], 0 for `lowest` and 1 for `highest`."""
    shown = values - lowest
    shown /= max(highest - lowest, 1e-6)
    return np.clip(shown, 0, 1, out=shown)


def windowed_by_percentiles(fitted: Fitted, values: np.ndarray) -> np.ndarray:
    """Return values in [0, 1] between the WINDOW_PERCENTILES of what is not padding; all 0 where these are equal."""
    population = values[fitted.valid]
    if population.size == 0:
        return np.zeros_like(values)
    low_at, high_at = (int(percentile / 100 * (population.size - 1)) for percentile in WINDOW_PERCENTILES)
    low, high = order_statistic(population, low_at), -order_statistic(-population, population.size - 1 - high_at)
    return windowed_by_range(values, low, high) if high > low else np.zeros_like(values)


def order_statistic(values: np.ndarray, place: int) -> float:
    """Return what stands at `place`, from 0, of the (n,) values in ascending order; fast where the place is among the first.

    A sample says what about twice as many values lie below, and only these are put in order.
    """
    sample = np.sort(values[::_SAMPLED])
    below = values[values <= sample[min(2 * place // _SAMPLED + _SAMPLED, sample.size - 1)]]
    return float(np.partition(below if place < below.size else values, place)[place])


def modality_lut(header: Header, lowest: float, highest: float) -> "Lut | Rescale":
    """Return the modality LUT (PS3.3 C.11.1) of stored values between two bounds: a table, else slope and intercept, else nothing.

    Raises CORRUPT where slope or intercept is no number, or leaves too little of the range of stored values in a float32.
    """
    table = _lut(header, "ModalityLUTSequence", lowest < 0)
    if table is not None:
        return table
    slope, intercept = (header.number(keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    for keyword, value in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if value is None and any(header.texts(keyword)):
            raise ImageRefused(Reason.CORRUPT, f"{keyword} is no finite number")
    if slope is None:
        return Rescale(1.0, 0.0)
    rescale = Rescale(slope, intercept or 0.0)
    if not rescale.resolves(lowest, highest):
        raise ImageRefused(
            Reason.CORRUPT, "RescaleSlope and RescaleIntercept leave no range of values, or one that no number here can hold"
        )
    return rescale


@dataclass(frozen=True)
class Rescale:
    """Slope and intercept of the Modality LUT module."""

    slope: float
    intercept: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if self.slope == 1 and self.intercept == 0:
            return values
        return values * np.float32(self.slope) + np.float32(self.intercept)

    def resolves(self, lowest: float, highest: float) -> bool:
        """Tell whether a float32 holds every rescaled value, and can tell 2^8 of them apart."""
        ends = [self.slope * bound + self.intercept for bound in (lowest, highest)]
        largest = max(map(abs, (*ends, self.slope, self.intercept)))
        return largest < _LARGEST and abs(ends[1] - ends[0]) > max(largest * _RESOLVED_RANGE, _SMALLEST_RANGE)


def voi_shown(values: np.ndarray, header: Header, signed: bool) -> np.ndarray | None:
    """Apply the VOI LUT (PS3.3 C.11.2) and return values in [0, 1]: the first table, else the first window, else None."""
    table = _lut(header, "VOILUTSequence", signed)
    if table is not None:
        return np.clip(table(values) / table.full_scale, 0, 1)
    center, width = header.number("WindowCenter"), header.number("WindowWidth")
    function = header.text("VOILUTFunction") or "LINEAR"
    if center is None or width is None or width <= 0 or (width < 1 and function == "LINEAR"):
        return None
    if max(abs(center), width) > _LARGEST or width < _SMALLEST_RANGE:
        return None
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -80, 80)))
    if function == "LINEAR_EXACT":
        return windowed_by_range(values, center - width / 2, center + width / 2)
    return windowed_by_range(values, center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2)


@dataclass(frozen=True)
class Lut:
    """A look-up table of the Modality or VOI LUT module: entry i answers for first + i; linear between entries, constant outside."""

    first: float
    entries: np.ndarray
    full_scale: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        at = np.arange(self.first, self.first + len(self.entries))
        return np.interp(values, at, self.entries).astype(np.float32)


def _lut(header: Header, keyword: str, signed: bool) -> Lut | None:
    """Read the first item of a LUT sequence (PS3.3 C.11.1.1.1); None where there is none or it is of no use."""
    items = header.items(keyword)
    descriptor = items[0].array("LUTDescriptor") if items else ()
    if len(descriptor) != 3:
        return None
    count, first, bits = (int(number) for number in descriptor)
    count = count or 65536
    packed = items[0].length("LUTData") < 2 * count  # 8-bit entries stored one a byte
    entries = items[0].array("LUTData", 8 if packed else 16)[:count]
    if len(entries) < 2 or not 8 <= bits <= 16:
        return None
    if signed and first >= 32768:
        first -= 65536
    return Lut(first, entries.astype(np.float32), float((1 << bits) - 1))
