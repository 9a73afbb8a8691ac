"""Registering, promoting and rolling back real bundles: what is refused, and that no bundle changes behind its entry."""

from pathlib import Path

import pytest

from schemas.bundle import OperatingPoint, Overrides, SitePoints
from screening.errors import BundleError, UsageError
from screening.registry.history import promoted, read_history
from screening.registry.steps import judging, promote, register, rollback, this_user
from screening.results.layout import ResultsLayout
from tests.screening.small_bundle import POINT, edit_manifest, save_small_bundle

ANN = {"who": "ann", "why": "a test"}
OTHER = OperatingPoint(threshold=0.4, rule="capacity", data="April")
NONE, MOVED = Overrides(), Overrides(operating_points={"covid": OTHER}, sites={"North": SitePoints(operating_points={"covid": POINT})})


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    return ResultsLayout(str(tmp_path / "r"))


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    save_small_bundle(tmp_path / "a")
    return str(tmp_path / "a")


def test_a_bundle_is_known_promoted_and_gone_back_from(layout: ResultsLayout, bundle: str) -> None:
    first = register(layout, bundle, NONE, **ANN)
    second = register(layout, bundle, MOVED, **ANN)
    assert first.bundle_digest != second.bundle_digest  # other thresholds are another judgement
    assert (first.operating_points["covid"], second.operating_points) == (POINT, {"pneumonia": POINT, "covid": OTHER})
    promote(layout, first.bundle_digest[:12], **ANN)
    promote(layout, second.bundle_digest[:12], who="bob", why="fewer tests")
    assert judging(promoted(read_history(layout)))[1] == MOVED
    back = rollback(layout, **ANN)
    assert (back.number, back.action, back.bundle_digest) == (5, "rollback", first.bundle_digest)
    assert promoted(read_history(layout)) == back
    assert [it.who for it in read_history(layout)] == ["ann", "ann", "ann", "bob", "ann"]


def test_what_makes_no_sense_adds_no_entry(layout: ResultsLayout, bundle: str) -> None:
    with pytest.raises(UsageError, match="0 registered bundles"):
        promote(layout, "1234", **ANN)
    entry = register(layout, bundle, NONE, **ANN)
    with pytest.raises(UsageError, match="registered already, by ann in entry 1"):
        register(layout, bundle, NONE, **ANN)
    promote(layout, entry.bundle_digest, **ANN)
    with pytest.raises(UsageError, match="is promoted already"):
        promote(layout, entry.bundle_digest, **ANN)
    with pytest.raises(UsageError, match="nothing to go back to"):
        rollback(layout, **ANN)
    assert len(read_history(layout)) == 2


def test_a_bundle_that_was_changed_since_judges_no_more(layout: ResultsLayout, bundle: str) -> None:
    entry = register(layout, bundle, NONE, **ANN)
    edit_manifest(Path(bundle), lambda manifest: manifest.update(name="another"))
    for use in (lambda: promote(layout, entry.bundle_digest, **ANN), lambda: judging(entry)):
        with pytest.raises(BundleError, match="is not the bundle any more that was registered"):
            use()
    (Path(bundle) / "bundle.json").unlink()
    with pytest.raises(BundleError, match="missing"):
        judging(entry)


def test_who_does_it_is_known_without_asking() -> None:
    assert "@" in this_user()
