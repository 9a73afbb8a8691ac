"""`screening bundle register`, `promote`, `rollback`, `list`, `history`: what they print, and the server's file that follows."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.checks import bundle_for
from jobs.manage_bundle import app
from schemas.bundle import OperatingPoint, SitePoints
from schemas.operating_points import OperatingPoints
from screening.bundle.checks import load_manifest
from screening.bundle.operating_points import save
from screening.bundle.pointer import BundlePointer, bundle_in_use
from screening.bundle.released import released_bundle
from screening.errors import PromotionRefused, UsageError
from tests.screening.small_bundle import save_small_bundle

runner = CliRunner()


def told(*arguments: str) -> str:
    """Run a command that must go well, and return what it prints."""
    answer = runner.invoke(app, list(arguments), env={"COLUMNS": "200"}, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str, str]:
    """A results folder and two bundles."""
    for name in "ab":
        save_small_bundle(tmp_path / name, name=f"bundle-{name}")
    return str(tmp_path / "r"), str(tmp_path / "a"), str(tmp_path / "b")


def test_a_change_of_models_from_beginning_to_end(folders: tuple[str, str, str], tmp_path: Path) -> None:
    results, *bundles = folders
    assert "no bundle is registered" in told("list", results)
    assert bundle_for(None, results, None) == (released_bundle(), None)
    digests = [json.loads(told("register", results, bundle, "--why", "new", "--json"))["bundle_digest"] for bundle in bundles]
    pointer = str(tmp_path / "current.json")
    told("promote", results, digests[0][:8], "--why", "the first", "--pointer", pointer)
    promotion = ["promote", results, digests[1][:8], "--why", "better", "--who", "ann", "--pointer", pointer]
    assert isinstance(runner.invoke(app, promotion).exception, PromotionRefused)
    assert bundle_in_use(pointer).bundle_url == bundles[0]
    told(*promotion, "--without-shadow", "no archive yet")
    assert bundle_in_use(pointer).bundle_url == bundles[1]
    assert bundle_for(None, results, None)[0] == bundle_for("registry", results, None)[0] == bundles[1]
    assert bundle_for(bundles[0], results, None) == (bundles[0], None)
    assert "bundle-a" in told("rollback", results, "--why", "too many positives", "--pointer", pointer)
    assert bundle_in_use(pointer).bundle_url == bundles[0]
    assert [row["promoted"] for row in json.loads(told("list", results, "--json"))] == [True, False]
    shown = told("history", results)
    assert all(word in shown for word in ("register", "promote", "rollback", "ann", "better", "no archive yet", "too many positives"))
    assert [entry["number"] for entry in json.loads(told("history", results, "--json"))] == [1, 2, 3, 4, 5]


def test_nothing_promoted_and_two_kinds_of_thresholds_are_refused(folders: tuple[str, str, str]) -> None:
    results, bundle, _ = folders
    with pytest.raises(UsageError, match="has no promoted bundle"):
        bundle_for("registry", results, None)
    digest = json.loads(told("register", results, bundle, "--why", "new", "--json"))["bundle_digest"]
    told("promote", results, digest, "--why", "the first")
    with pytest.raises(UsageError, match="register it with the other ones"):
        bundle_for(None, results, "points.json")


def test_a_server_follows_to_the_operating_points_and_back(folders: tuple[str, str, str], tmp_path: Path) -> None:
    results, bundle, _ = folders
    own, points, pointer = load_manifest(bundle), str(tmp_path / "points.json"), str(tmp_path / "current.json")
    point = OperatingPoint(threshold=0.1 + 0.2, rule="r", data="d")
    sites = {"site-1": SitePoints(operating_points={"pneumonia": point})}
    save(points, OperatingPoints(bundle_digest=own.digest(), chosen=date(2020, 3, 1), points={"covid": point}, sites=sites))
    for options in ([], ["--operating-points", points]):
        told("register", results, bundle, "--why", "new", *options)
    digest = own.judging_at({"covid": point}, sites).digest()
    told("promote", results, own.digest(), "--why", "the first", "--pointer", pointer)
    told("promote", results, digest, "--why", "its sites", "--without-shadow", "no archive yet", "--pointer", pointer)
    named = bundle_in_use(pointer)
    assert named == BundlePointer(bundle_url=bundle, bundle_digest=digest, operating_points={"covid": point}, sites=sites)
    assert named.manifest().digest() == digest
    told("rollback", results, "--why", "too many positives", "--pointer", pointer)
    assert bundle_in_use(pointer) == BundlePointer(bundle_url=bundle, bundle_digest=own.digest())
    assert bundle_in_use(pointer).manifest() == own


def test_a_file_that_no_server_follows_is_refused_and_nothing_is_promoted(folders: tuple[str, str, str]) -> None:
    results, bundle, _ = folders
    digest = json.loads(told("register", results, bundle, "--why", "new", "--json"))["bundle_digest"]
    for step in (["promote", results, digest], ["rollback", results]):
        answer = runner.invoke(app, [*step, "--why", "so", "--pointer", "current"])
        assert isinstance(answer.exception, UsageError)
        assert "ends in .json" in str(answer.exception)
    assert [row["promoted"] for row in json.loads(told("list", results, "--json"))] == [False]
