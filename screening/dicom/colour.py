"""Colour images: the luma that is judged of them, and a sample of their colours, by which the gate tells a radiograph from a picture."""

import io

import numpy as np
from PIL import Image

from schemas.reasons import Reason
from screening.dicom.header import Header
from screening.errors import ImageRefused

# R, G, B → Y, Cb, Cr of ITU-R BT.601, as in PS3.3 C.7.6.3.1.2
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_YCBCR = np.array([LUMA, [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], np.float32)
_SAMPLE_SIDE = 256  # rows and columns of a sample, at most about
_ROWS_AT_ONCE = 64  # so that no copy of a whole image as floating-point numbers is made
MAX_PALETTE_BITS = 16  # of an index


def luma_of(values: np.ndarray, is_ycbcr: bool) -> np.ndarray:
    """Return the luma of (h, w, 3) stored values, R, G, B or Y, Cb, Cr, as (h, w)."""
    if is_ycbcr:
        return values[..., 0]
    luma = np.empty(values.shape[:2], np.float32)
    for at in range(0, len(values), _ROWS_AT_ONCE):
        luma[at : at + _ROWS_AT_ONCE] = values[at : at + _ROWS_AT_ONCE] @ LUMA
    return luma


def sample_of(values: np.ndarray, bits: int, is_ycbcr: bool) -> np.ndarray:
    """Return (n, 3) float32 of a regular sample of (h, w, 3) stored values of so many bits: luma in [0, 255], Cb and Cr around 0."""
    full = (1 << bits) - 1
    colours = np.minimum(_strided(values).reshape(-1, 3), full).astype(np.float32) * np.float32(255 / full)
    return colours - np.float32([0, 127.5, 127.5]) if is_ycbcr else colours @ _YCBCR.T


def _strided(values: np.ndarray) -> np.ndarray:
    down, across = (max(1, length // _SAMPLE_SIDE) for length in values.shape[:2])
    return values[::down, ::across]


def sample_of_image(image: Image.Image) -> np.ndarray:
    """Return the sample of an open PNG or JPEG image in colours, as `sample_of` does. A JPEG image is decoded at a reduced size.

    Raises what Pillow raises for a broken image.
    """
    image.draft("RGB", (_SAMPLE_SIDE, _SAMPLE_SIDE))
    scale = min(1.0, _SAMPLE_SIDE / max(image.size))
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return sample_of(np.asarray(image.resize(size, Image.Resampling.NEAREST).convert("RGB")), 8, is_ycbcr=False)


def sample_of_jpeg(stream: bytes) -> np.ndarray:
    """Return the sample of a JPEG stream in colours, as `sample_of` does. Raises what Pillow raises for a broken one."""
    with Image.open(io.BytesIO(stream), formats=["JPEG"]) as image:
        return sample_of_image(image)


def through_palette(indices: np.ndarray, lowest: int, bits: int, header: Header) -> tuple[np.ndarray, np.ndarray]:
    """Return the luma in [0, 255] of (h, w) indices into the three palette tables (PS3.3 C.7.6.3.1.5 and 6), and a sample of the colours.

    `lowest` is the smallest index that `bits` bits can hold. Raises CORRUPT.
    """
    if bits > MAX_PALETTE_BITS:
        raise ImageRefused(Reason.CORRUPT, f"indices of {bits} bits into a palette of {MAX_PALETTE_BITS} bits")
    every_index = np.arange(lowest, lowest + (1 << bits), dtype=np.int32)
    table = np.stack([_palette(header, colour, every_index) for colour in ("Red", "Green", "Blue")], axis=-1)
    lumas = table @ LUMA
    luma = np.empty(indices.shape, np.float32)
    for at in range(0, len(indices), _ROWS_AT_ONCE):
        luma[at : at + _ROWS_AT_ONCE] = lumas[_places(indices[at : at + _ROWS_AT_ONCE], lowest, len(lumas))]
    return luma, sample_of(table[_places(_strided(indices), lowest, len(lumas))], 8, is_ycbcr=False)


def _places(indices: np.ndarray, lowest: int, count: int) -> np.ndarray:
    """Return where indices stand in a table of every index. A codestream may hold more bits than its header says: those are cut off."""
    return np.clip(indices.astype(np.int32) - lowest, 0, count - 1)


def _palette(header: Header, colour: str, indices: np.ndarray) -> np.ndarray:
    """Return what one table holds for (n,) indices, float32 in [0, 255]. Raises CORRUPT."""
    descriptor = header.array(f"{colour}PaletteColorLookupTableDescriptor")
    data = f"{colour}PaletteColorLookupTableData"
    count = int(descriptor[0]) or 65536 if len(descriptor) == 3 else 0
    packed = header.length(data) < 2 * count  # entries of 8 bits, one a byte
    entries = header.array(data, 8 if packed else 16)[:count]
    if not count or len(entries) < count:
        raise ImageRefused(Reason.CORRUPT, "PhotometricInterpretation is PALETTE COLOR, but a palette is absent, segmented or too short")
    if not 8 <= descriptor[2] <= 16:
        raise ImageRefused(Reason.CORRUPT, f"a palette whose entries have {descriptor[2]} bits; the standard knows 8 and 16")
    full = 255 if packed else (1 << int(descriptor[2])) - 1
    return entries[np.clip(indices - int(descriptor[1]), 0, count - 1)].astype(np.float32) * np.float32(255 / full)
