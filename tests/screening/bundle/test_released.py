"""The released bundle: whole, small enough for a repository, and described by a card that was written for it."""

import json
import re
from pathlib import Path

import pytest

from screening.bundle import released
from screening.bundle.checks import verify
from screening.bundle.released import PHANTOM_BUNDLE, RELEASED_BUNDLE, phantom_bundle, released_bundle
from screening.errors import UsageError

MOST_BYTES = 40_000_000


def test_it_is_whole_and_small():
    assert verify(released_bundle()).name == f"{RELEASED_BUNDLE.name}.5"  # its sixth revision
    assert sum(file.stat().st_size for file in RELEASED_BUNDLE.iterdir()) < MOST_BYTES


def test_its_card_and_metrics_are_its_own():
    digest = verify(released_bundle()).digest()
    assert digest in (RELEASED_BUNDLE / "MODEL_CARD.md").read_text()
    assert json.loads((RELEASED_BUNDLE / "metrics.json").read_text())["bundle"]["digest"] == digest


def test_it_names_no_place_and_no_person():
    manifest = (RELEASED_BUNDLE / "bundle.json").read_text() + (RELEASED_BUNDLE / "metrics.json").read_text()
    assert not re.search(r"\"[^\"]*(?:/home/|/work/|/tmp/|/root/)", manifest)


def test_an_installation_without_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(released, "RELEASED_BUNDLE", tmp_path / "none")
    with pytest.raises(UsageError, match="--bundle"):
        released_bundle()


def test_the_bundle_of_the_demo_is_whole_and_very_small():
    assert verify(phantom_bundle()).name == PHANTOM_BUNDLE.name
    assert sum(file.stat().st_size for file in PHANTOM_BUNDLE.iterdir()) < 2_500_000
    assert not re.search(r"\"[^\"]*(?:/home/|/work/|/tmp/|/root/)", (PHANTOM_BUNDLE / "bundle.json").read_text())


def test_an_installation_without_the_bundle_of_the_demo_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(released, "PHANTOM_BUNDLE", tmp_path / "none")
    with pytest.raises(UsageError, match="--train"):
        phantom_bundle()
