"""polarity: swapped black and white on phantoms and on the real radiographs."""

import csv

import numpy as np
import pytest

from schemas.reasons import Reason
from screening.errors import ImageRefused
from screening.ingest import polarity, preprocess
from screening.ingest.config import IngestConfig
from screening.ingest.ingest import ingest
from tests.real_data import cxr_folder
from tests.screening import hostile

CHEST = (hostile.chest() >> 4).astype(np.uint8)
EVERYWHERE = np.ones(CHEST.shape, bool)


def test_chest_stays_and_its_negative_is_swapped():
    assert polarity.chest_likeness(CHEST) == pytest.approx(-polarity.chest_likeness(255 - CHEST))
    kept, swapped = polarity.upright(CHEST, EVERYWHERE)
    assert not swapped
    assert np.array_equal(kept, CHEST)
    turned, swapped = polarity.upright(255 - CHEST, EVERYWHERE)
    assert swapped
    assert np.array_equal(turned, CHEST)


def test_padding_stays_black_and_has_no_say():
    valid = EVERYWHERE.copy()
    valid[:, :120] = False
    negative = np.where(valid, 255 - CHEST, 0).astype(np.uint8)
    turned, swapped = polarity.upright(negative, valid)
    assert swapped
    assert (turned[:, :120] == 0).all()


def test_weak_evidence_of_inversion_is_refused():
    """A negative mixed with structures that no chest has until its likeness lies between the two limits."""
    other = np.random.default_rng(4).normal(0, 1, (16, 16))
    template = np.array(polarity.TEMPLATE, float)
    template = (template - template.mean()) / template.std()
    other -= other.mean() + template * (other * template).mean()
    aim = (polarity.SWAP_BELOW + polarity.REFUSE_BELOW) / 2
    mixed = aim * template + np.sqrt(1 - aim**2) * other / other.std()
    content = np.kron(np.clip(128 + 30 * mixed, 0, 255), np.ones((32, 32))).astype(np.uint8)
    assert polarity.chest_likeness(content) == pytest.approx(aim, abs=0.02)
    with pytest.raises(ImageRefused) as refusal:
        polarity.upright(content, np.ones(content.shape, bool))
    assert refusal.value.reason == Reason.INVERTED


def test_what_looks_like_no_chest_at_all_is_left_alone():
    flat = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert polarity.upright(flat, np.ones(flat.shape, bool))[1] is False


def test_real_radiographs():
    """Of every third real image none is swapped or refused, and of their negatives 97 % are found."""
    folder = cxr_folder()
    with open(folder / "labels.csv") as file:
        rows = list(csv.DictReader(file))[::3]
    found = []
    for row in rows:
        answer = ingest((folder / row["image"]).read_bytes(), IngestConfig(), None)
        assert answer.refusal is None
        assert answer.columns["pixels_inverted"] is False
        height, width = preprocess.fitted_size(answer.columns["Rows"], answer.columns["Columns"])
        top, left = (512 - height) // 2, (512 - width) // 2
        negative = 255 - answer.pixels[top : top + height, left : left + width]
        found.append(polarity.chest_likeness(negative) <= polarity.SWAP_BELOW)
    assert np.mean(found) > 0.97
