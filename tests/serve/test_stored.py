"""The nights of a results folder, without a server: what counts, what is new, what is gone, and many asking at once."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.bundle import BundleManifest, OperatingPoint
from schemas.operating_points import OperatingPoints
from schemas.run import RunManifest
from schemas.service import ServiceSettings
from screening.archive.index import scan
from screening.bundle.checks import load_manifest
from screening.bundle.operating_points import save
from screening.bundle.released import phantom_bundle
from screening.privacy import UrlSeal, create_key
from screening.results.layout import ResultsLayout
from screening.results.manifests import now, write_manifest
from serve import stored as stored_module
from serve.problems import Refused
from serve.stored import Stored, fingerprint_of, open_anew
from tests.readings import shared_uid
from tests.screening.instance_rows import DIGEST, NIGHT, instance_row, pneumonia_row, write_instances

OTHER = "b" * 64
NEXT_NIGHT = NIGHT + dt.timedelta(1)


def run_of(results: Path, run_id: str, digest: str, bundle_url: str = "gone", **changes: Any) -> None:
    facts = {"archive_url": "a", "results_url": str(results), "bundle_url": bundle_url, "bundle_name": "b", "bundle_digest": digest}
    facts |= {"status": "finished", "screen_date": NIGHT, "configuration": {}, "started": now()}
    write_manifest(ResultsLayout(str(results)), RunManifest(run_id=run_id, **(facts | changes)))


def settings_of(results: Path, **changes: Any) -> ServiceSettings:
    return ServiceSettings(bundle=phantom_bundle(), results=str(results), open=True, **changes)


def asked(results: Path, question: Callable[[Stored], Awaitable[Any]], **changes: Any) -> Any:
    """Return what a question to the nights of a folder gives."""

    async def ask() -> Any:
        return await question(Stored(settings_of(results, **changes)))

    return asyncio.run(ask())


def test_the_answer_of_the_bundle_that_ran_last_counts(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [pneumonia_row(1), instance_row(1, bundle_digest=OTHER)])
    for run_id, digest in (("1", OTHER), ("2", DIGEST)):
        run_of(tmp_path, run_id, digest)
    assert asked(tmp_path, lambda stored: stored.row("1.2.1.1"))["bundle_digest"] == DIGEST
    run_of(tmp_path, "3", OTHER)
    assert asked(tmp_path, lambda stored: stored.row("1.2.1.1"))["bundle_digest"] == OTHER
    assert asked(tmp_path, lambda stored: stored.positives(NIGHT, None)) == [], "the other one called nothing positive"


def test_who_asks_for_a_copy_gets_the_row_that_counts(tmp_path: Path) -> None:
    copy = pneumonia_row(2, pixel_hash=instance_row(1)["pixel_hash"], StudyDate=NEXT_NIGHT)
    write_instances(str(tmp_path), [pneumonia_row(1), copy])
    run_of(tmp_path, "1", DIGEST)
    for uid in (copy["object_id"], copy["SOPInstanceUID"]):
        assert asked(tmp_path, lambda stored, uid=uid: stored.row(uid))["object_id"] == instance_row(1)["object_id"]
    assert len(asked(tmp_path, lambda stored: stored.positives(NIGHT, None))) == 1


def test_a_uid_of_two_persons_radiographs_is_refused(tmp_path: Path) -> None:
    one, two = shared_uid()
    write_instances(str(tmp_path), [one, two | {"bundle_digest": OTHER}])  # of nights of two bundles, so that neither is the other's copy
    for run_id, digest in (("1", DIGEST), ("2", OTHER)):
        run_of(tmp_path, run_id, digest)
    with pytest.raises(Refused, match="give its object_id") as refused:
        asked(tmp_path, lambda stored: stored.row("9.9"))
    assert refused.value.status == 409
    for row in (one, two):
        assert asked(tmp_path, lambda stored, row=row: stored.row(row["object_id"]))["patient_pseudonym"] == row["patient_pseudonym"]


def test_a_uid_of_copies_is_one_radiograph(tmp_path: Path) -> None:
    one, _ = shared_uid()
    in_another_form = one | {"object_id": "e" * 32, "pixel_hash": "e" * 32, "bundle_digest": OTHER}
    under_another_name = one | {"object_id": "f" * 32, "patient_pseudonym": "f" * 32}
    write_instances(str(tmp_path), [one, in_another_form, under_another_name])
    run_of(tmp_path, "1", OTHER)
    run_of(tmp_path, "2", DIGEST)
    assert asked(tmp_path, lambda stored: stored.row("9.9"))["object_id"] == one["object_id"]


def test_an_empty_folder_has_no_nights(tmp_path: Path) -> None:
    assert asked(tmp_path, lambda stored: stored.nights()) == []
    with pytest.raises(Refused, match="no night has a row") as refused:
        asked(tmp_path, lambda stored: stored.row("1.2.3"))
    assert refused.value.status == 404


def test_a_new_part_and_a_rewritten_one_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_module, "LOOK_SECONDS", 0.0)
    write_instances(str(tmp_path), [pneumonia_row(1)])

    async def follow() -> None:
        stored = Stored(settings_of(tmp_path))
        assert await stored.nights() == [NIGHT]
        write_instances(str(tmp_path), [pneumonia_row(2, screen_date=NEXT_NIGHT)])
        async with asyncio.timeout(30):
            while await stored.nights() != [NEXT_NIGHT, NIGHT]:
                await asyncio.sleep(0.05)
            write_instances(str(tmp_path), [instance_row(1), instance_row(3)])  # as `screening redrive` does
            while await stored.positives(NIGHT, None):
                await asyncio.sleep(0.05)

    asyncio.run(follow())


def test_what_has_not_changed_stays_open(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [pneumonia_row(1)])
    opened = open_anew(str(tmp_path))
    assert open_anew(str(tmp_path), opened) is opened
    before = fingerprint_of(str(tmp_path))
    run_of(tmp_path, "1", DIGEST)
    assert fingerprint_of(str(tmp_path)) > before


def test_many_ask_at_once_and_the_event_loop_is_free(tmp_path: Path) -> None:
    write_instances(str(tmp_path), [pneumonia_row(number, InstitutionName="AB"[number % 2]) for number in range(1, 41)])

    async def crowd() -> None:
        stored = Stored(settings_of(tmp_path))
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.005)
                beats += 1

        heart = asyncio.create_task(beat())
        rows = [stored.row(f"1.2.{number}.1") for number in range(1, 41)]
        lists = [stored.positives(NIGHT, site) for site in ("A", "B", None) * 5]
        found = await asyncio.gather(*rows, *lists)
        heart.cancel()
        assert [row["patient_pseudonym"] for row in found[:40]] == [f"{number:032x}" for number in range(1, 41)]
        assert [len(rows) for rows in found[40:43]] == [20, 20, 40]
        assert beats > 20, "opening and asking took longer than that"

    asyncio.run(crowd())


def test_thresholds_are_those_of_the_bundles_runs(tmp_path: Path) -> None:
    point = OperatingPoint(threshold=0.125, rule="r", data="d")
    bundle = BundleManifest(name="of that night", networks={}, operating_points={"pneumonia": point, "covid": point})
    (tmp_path / "bundle.json").write_text(bundle.model_dump_json())
    write_instances(str(tmp_path / "results"), [instance_row(1, bundle_digest=bundle.digest())])
    run_of(tmp_path / "results", "1", bundle.digest(), str(tmp_path))
    assert asked(tmp_path / "results", lambda stored: stored.bundle(bundle.digest())) == bundle
    (tmp_path / "bundle.json").unlink()
    with pytest.raises(Refused, match="is not where its runs found it"):
        asked(tmp_path / "results", lambda stored: stored.bundle(bundle.digest()))


def test_thresholds_are_those_of_the_servers_bundle_with_its_operating_points(tmp_path: Path) -> None:
    own = load_manifest(phantom_bundle())
    point = OperatingPoint(threshold=0.125, rule="r", data="d")
    save(str(tmp_path / "points.json"), OperatingPoints(bundle_digest=own.digest(), chosen=NIGHT, points={"covid": point}))
    other = own.judging_at({"covid": point})
    for bundle in (own, other):  # of nights before the points were chosen, and after
        run_of(tmp_path, bundle.digest()[:12], bundle.digest())
        found = asked(tmp_path, lambda stored, it=bundle: stored.bundle(it.digest()), operating_points=str(tmp_path / "points.json"))
        assert found == bundle
    with pytest.raises(Refused, match="is not where its runs found it"):
        asked(tmp_path, lambda stored: stored.bundle(other.digest()))


def test_a_sealed_name_needs_the_key_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "name of a patient.dcm").write_bytes(b"radiograph")
    [found] = [row for table in scan(str(tmp_path / "archive")) for row in table.to_pylist()]
    key = create_key(tmp_path / "key")
    row = instance_row(1) | found | {"object_url": UrlSeal(key).seal(found["object_url"])}
    with_key = {"pseudonym_key": str(tmp_path / "key")}
    assert asked(tmp_path, lambda stored: stored.content(row), **with_key) == b"radiograph"
    with pytest.raises(Refused, match="start the server with --pseudonym-key") as refused:
        asked(tmp_path, lambda stored: stored.content(row))
    assert refused.value.status == 409
