import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from schemas.reasons import Reason
from screening.ingest.config import IngestConfig
from tests.told import Told
from tests.train.datasets.folders import dicom, radiograph
from train.datasets.duplicates import COARSE_BITS, NEAR_BITS
from train.datasets.fingerprints import WORDS, Fingerprint, fingerprint, fingerprints, perceptual_hash, without_border

CONFIG = IngestConfig()


def coded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def apart(one: Fingerprint, other: Fingerprint) -> tuple[int, int]:
    """Return the distance of the first words, and of all."""
    bits = [(a ^ b).bit_count() for a, b in zip(one.perceptual, other.perceptual, strict=True)]
    return bits[0], sum(bits)


def test_the_bits_are_signs_of_a_cosine_transform_of_ranks() -> None:
    """DCT-II as Zauner 2010 writes it: coefficient k weighs place n with cos(pi / 32 (n + 1/2) k)."""
    frequency, place = np.mgrid[:16, :32]
    cosines = np.cos(np.pi / 32 * (place + 0.5) * frequency)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    ranks = np.argsort(np.argsort(pixels.ravel(), kind="stable")).reshape(32, 32)
    positive = cosines @ (ranks - ranks.mean()) @ cosines.T > 0
    positive[0, 0] = False
    bits = [int(digit) for word in perceptual_hash(pixels) for digit in f"{word:064b}"]
    assert len(bits) == 64 * WORDS
    assert bits[:64] == positive[:8, :8].ravel().tolist()
    assert bits[64:] == [*positive[:8, 8:].ravel(), *positive[8:].ravel()]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: coded(image, "JPEG", quality=40),
        lambda image: coded(image.resize((300, 350), Image.Resampling.BILINEAR)),
        lambda image: coded(image.resize((130, 130))),
        lambda image: coded(image.point(lambda value: 255 * (value / 255) ** 0.6)),
        lambda image: coded(ImageOps.invert(image)),
        lambda image: coded(ImageOps.expand(image, border=12, fill=0)),
        lambda image: coded(Image.fromarray(np.asarray(image).astype(np.uint16) * 16)),
    ],
    ids=["compressed", "enlarged", "squeezed", "tone", "inverted", "framed", "16 bits"],
)
def test_copies_of_an_image_are_close(change: Callable[[Image.Image], bytes]) -> None:
    for number in range(3):
        image = Image.fromarray(radiograph(number))
        first, bits = apart(fingerprint(coded(image), CONFIG), fingerprint(change(image), CONFIG))
        assert first <= COARSE_BITS
        assert bits <= NEAR_BITS


def test_strangers_are_far_apart() -> None:
    prints = [fingerprint(coded(Image.fromarray(radiograph(number))), CONFIG) for number in range(12)]
    distances = [apart(one, other)[1] for at, one in enumerate(prints) for other in prints[:at]]
    assert min(distances) > NEAR_BITS
    assert len({found.pixel_hash for found in prints}) == 12


def test_headers_are_read_and_refusals_named() -> None:
    found = fingerprint(dicom(0, "p", view="AP", sex="M", age="51"), CONFIG)
    assert (found.view, found.sex, found.age_years, found.refusal) == ("AP", "M", 51, None)
    assert fingerprint(dicom(0, "p", age="9"), IngestConfig(min_age_years=18)).refusal is Reason.BELOW_AGE_LIMIT
    assert fingerprint(dicom(0, "p", age="009Y"), IngestConfig(min_age_years=18)).refusal is Reason.BELOW_AGE_LIMIT
    assert fingerprint(dicom(0, "p", age="018M"), IngestConfig(min_age_years=1.4)).refusal is None  # ages are whole years only in columns
    assert fingerprint(dicom(0, "p", view="LL"), CONFIG) == Fingerprint(Reason.LATERAL_VIEW)
    assert fingerprint(coded(Image.fromarray(np.zeros((200, 200), np.uint8))), CONFIG).refusal is Reason.BLANK
    assert fingerprint(b"hello", CONFIG).refusal is Reason.NOT_DICOM


def test_borders_go_but_never_half_the_image() -> None:
    inside = radiograph(0)
    framed = np.pad(inside, 20, constant_values=7)
    height, width = without_border(framed).shape
    assert abs(height - without_border(inside).shape[0]) <= 1
    assert abs(width - without_border(inside).shape[1]) <= 1
    mostly_border = np.pad(inside[:40, :40], 60)
    assert without_border(mostly_border).shape == mostly_border.shape


def test_images_in_processes_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = []
    for at in range(8):
        (tmp_path / f"{at}.png").write_bytes(coded(Image.fromarray(radiograph(at))))
        urls.append(str(tmp_path / f"{at}.png"))
    urls.insert(3, str(tmp_path / "gone.png"))
    told = Told()
    alone = fingerprints(urls, 0, on_progress=told)
    assert told.said == [("decoding", 0, 9), ("decoding", 9, 9)]
    assert alone[3].refusal is Reason.OBJECT_MISSING
    monkeypatch.setattr("train.datasets.fingerprints._IN_PROCESS", 0)
    assert fingerprints(urls * 8, 0, processes=2) == alone * 8
