"""A shadow run on a real local Ray: a candidate beside the promoted bundle, its record, and the promotion that rests on it."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.bundle import OperatingPoint, Overrides
from screening.analytics.views import connect
from screening.benchmark.random_bundle import save_random_bundle
from screening.bundle.checks import load_manifest
from screening.bundle.operating_points import check, load
from screening.errors import PromotionRefused, UsageError
from screening.registry.gate import Margins, read_records
from screening.registry.history import promoted, read_history
from screening.registry.steps import promote, register
from screening.results.layout import ResultsLayout
from screening.run.config import MachineConfig
from screening.run.screen import screen
from screening.shadow.run import Shadow, run_shadow
from tests.archives import phantom_dicom, phantom_pixels
from tests.nights import KEY, night, only, rows_of
from tests.screening.instance_rows import reference_of

pytestmark = pytest.mark.usefixtures("ray_cluster")
ANN = {"who": "ann", "why": "a test"}
MACHINE = MachineConfig(actors=1, decoders=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, ray_cluster: None) -> tuple[ResultsLayout, str, str]:
    """A night of a promoted bundle over 16 radiographs, and a candidate that is the same one but calls everybody; their digests."""
    folder: Path = tmp_path_factory.mktemp("shadow")
    (folder / "archive").mkdir()
    for seed in range(16):
        (folder / f"archive/{seed:02}.dcm").write_bytes(phantom_dicom(seed, ("normal", "covid")[seed % 2]))
    bundle = str(folder / "a")
    save_random_bundle(bundle, phantom_pixels(8))
    layout = ResultsLayout(str(folder / "r"))
    everybody = OperatingPoint(threshold=0.0, rule="everybody", data="none")
    current = register(layout, bundle, Overrides(), **ANN).bundle_digest
    candidate = register(layout, bundle, Overrides(operating_points={"pneumonia": everybody, "covid": everybody}), **ANN).bundle_digest
    promote(layout, current, **ANN)
    only(screen(night(folder / "archive", layout.root, bundle)))
    return layout, current, candidate


@pytest.fixture
def shadow(made: tuple[ResultsLayout, str, str]) -> Callable[..., Shadow]:
    return lambda candidate, **asked: Shadow(made[0].root, candidate, KEY, machine=MACHINE, **asked)


@pytest.mark.slow  # a night and two shadow runs
def test_a_candidate_judges_beside_the_promoted_bundle(made: tuple[ResultsLayout, str, str], shadow: Callable[..., Shadow]) -> None:
    layout, current, candidate = made
    bundle = read_history(layout)[0].bundle_url
    before = rows_of(layout.root, bundle)
    record = run_shadow(shadow(candidate[:12], images=10))
    assert (record.candidate_digest, record.current_digest, record.drawn, record.compared) == (candidate, current, 10, 10)
    assert record.stages["covid"].positive_rate.candidate == 1.0
    assert all(it.logit_shift == pytest.approx(0, abs=1e-6) for it in record.stages.values())  # the same networks
    assert rows_of(layout.root, bundle).equals(before)
    assert [it.shadow_id for it in read_records(layout)] == [record.shadow_id]

    with connect(layout.shadow(record.shadow_id)) as connection:  # a results folder as any other
        rows = dict(connection.sql("select bundle_digest, count(covid_logit) from instances group by all").fetchall())
    assert rows.keys() == {current, candidate}
    assert rows[candidate] == 10
    with connect(layout.root) as connection:
        assert connection.sql("select distinct bundle_digest from instances").fetchall() == [(current,)]

    points = check(load(f"{layout.shadow(record.shadow_id)}/operating_points.json"), load_manifest(bundle).digest())
    assert {stage: point.threshold for stage, point in points.operating_points.items()} == record.thresholds
    called = record.stages["pneumonia"].both + record.stages["pneumonia"].current_only
    with connect(layout.shadow(record.shadow_id)) as connection:
        query = "select count(*) from instances where bundle_digest = $digest and pneumonia_score >= $at"
        asked = {"digest": candidate, "at": record.thresholds["pneumonia"]}
        assert connection.execute(query, asked).fetchall() == [(called,)]

    with pytest.raises(PromotionRefused, match=f"left the margins in shadow run {record.shadow_id}: share of positives"):
        promote(layout, candidate, **ANN)
    assert promoted(read_history(layout)).bundle_digest == current
    moved = register(layout, bundle, points, **ANN)  # at the thresholds that match
    record = run_shadow(shadow(moved.bundle_digest))
    assert record.compared == 16
    entry = promote(layout, moved.bundle_digest, **ANN, margins=Margins(rate_change=0.6, disagreement=0.5))
    assert entry.shadow_id == record.shadow_id


def test_what_cannot_be_compared_is_refused(made: tuple[ResultsLayout, str, str], shadow: Callable[..., Shadow], tmp_path: Path) -> None:
    _, current, candidate = made
    for wrong, said in [
        (shadow("1234"), "0 registered bundles"),
        (shadow(current, current=current), "is the bundle that judges"),
        (shadow(candidate, current="1234"), "there are rows of none"),
    ]:
        with pytest.raises(UsageError, match=said):
            run_shadow(wrong)
    pq.write_table(reference_of((999, "positive", 0)), tmp_path / "nobody.parquet")
    with pytest.raises(UsageError, match="no radiograph with a definite result"):
        run_shadow(shadow(candidate, current=current, reference=str(tmp_path / "nobody.parquet")))
