"""The metrics of a night, by Prometheus's own parser and tools; alerts and dashboard ask for nothing else."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.nightly import STEPS, NightRecord, StepRecord
from screening.nightly.metrics import MetricsFile, exposition
from screening.run.progress import Progress
from tests.nights import summary

DEPLOY = Path(__file__).resolve().parents[3] / "deploy/monitoring"
STARTED = datetime(2020, 3, 1, 22, tzinfo=UTC)


@pytest.fixture
def record() -> NightRecord:
    """A night whose run is under way, and which crossed a limit."""
    steps = [StepRecord(name=name, status="running" if name == "run" else "waiting") for name in STEPS]
    facts = {"archive_url": "a", "results_url": "r", "deadline": STARTED + timedelta(hours=8), "told": ["limit_crossed: x", "late: y"]}
    return NightRecord(night_id="n", screen_date=STARTED.date(), started=STARTED, steps=steps, **facts)


@pytest.fixture
def progress() -> Progress:
    """Ten scored and four failed images of a hundred."""
    progress = Progress("run", planned=100, actors=2, retried=1)
    progress.add(summary(10))
    progress.add(summary(4, "read_failed"))
    return progress


def samples(text: bytes) -> dict[str, float]:
    """Return name{label="value", …} → value, without the times at which counters were made."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_every_figure_of_a_run(record: NightRecord, progress: Progress) -> None:
    found = samples(exposition(record, {"run": progress}))
    assert found["screening_images_total{outcome=scored,step=run}"] == 10
    assert found["screening_images_total{outcome=rejected,step=run}"] == 0
    assert found["screening_images_refused_total{reason=read_failed,step=run}"] == 4
    assert found["screening_images_positive_total{stage=covid,step=run}"] == 2
    assert found["screening_stage_seconds_total{stage=decode,step=run}"] == 4.0
    assert found["screening_read_bytes_total{step=run}"] == 14_000
    assert found["screening_retried_shards_total{step=run}"] == 1
    assert found["screening_run_actors{step=run}"] == 2
    assert (found["screening_run_planned_images{step=run}"], found["screening_run_answered_images{step=run}"]) == (100, 14)
    assert found["screening_run_seconds_left{step=run}"] > 0


def test_every_figure_of_a_night(record: NightRecord) -> None:
    found = samples(exposition(record, {}))
    assert {name for name, value in found.items() if name.startswith("screening_night_status") and value} == {
        "screening_night_status{status=running}"
    }
    assert found["screening_night_step_status{status=running,step=run}"] == 1
    assert found["screening_night_step_status{status=waiting,step=report}"] == 1
    assert found["screening_night_deadline_timestamp_seconds"] - found["screening_night_started_timestamp_seconds"] == 8 * 3600
    assert found["screening_night_limit_alerts"] == 1
    assert "screening_night_finished_timestamp_seconds" not in found
    assert not [name for name in found if name.startswith("screening_run")]
    ended = record.model_copy(update={"finished": STARTED + timedelta(hours=1), "status": "finished"})
    assert samples(exposition(ended, {}))["screening_night_finished_timestamp_seconds"] == (STARTED + timedelta(hours=1)).timestamp()


def test_a_file_is_written_now_and_then_and_keeps_what_the_run_did(tmp_path: Path, record: NightRecord, progress: Progress) -> None:
    file = tmp_path / "screening.prom"
    metrics = MetricsFile(str(file))
    metrics.show(record, progress)
    first = file.read_bytes()
    progress.add(summary(5))
    metrics.show(record, progress)
    assert file.read_bytes() == first, "not so soon again"
    for step in record.steps[:2]:
        step.status = "finished" if step.name == "run" else "running"
    again = Progress("redrive", planned=4)
    again.add(summary(4))
    metrics.show(record, again)
    metrics.write(record)
    found = samples(file.read_bytes())
    assert found["screening_images_total{outcome=scored,step=run}"] == 15
    assert found["screening_images_total{outcome=scored,step=redrive}"] == 4


def test_a_file_that_cannot_be_written_ends_no_night(tmp_path: Path, record: NightRecord, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    MetricsFile(str(tmp_path / "file/screening.prom")).write(record)
    assert "the file of metrics could not be written" in caplog.text
    MetricsFile(None).write(record)


def names(record: NightRecord, progress: Progress) -> set[str]:
    ended = record.model_copy(update={"finished": STARTED})
    return {name.split("{")[0] for name in samples(exposition(ended, {"run": progress}))}


def test_alerts_and_dashboard_ask_for_nothing_else(record: NightRecord, progress: Progress) -> None:
    known = names(record, progress)
    for file in ("alerts.yml", "grafana-dashboard.json"):
        asked = set(re.findall(r"\bscreening_[a-z_]+\b", (DEPLOY / file).read_text()))
        assert asked, file
        assert asked <= known, file
    dashboard = set(re.findall(r"\bscreening_[a-z_]+\b", (DEPLOY / "grafana-dashboard.json").read_text()))
    shown_by_alerts_alone = {
        "screening_night_started_timestamp_seconds",
        "screening_night_limit_alerts",
        "screening_run_updated_timestamp_seconds",
    }
    assert known - dashboard == shown_by_alerts_alone


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
    places = {(x, y) for p in panels for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"]) for y in [p["gridPos"]["y"]]}
    assert max(x for x, _ in places) < 24
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource"}


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool: install Debian's package prometheus")
    return found


def judged(promtool: str, *arguments: str, said: bytes | None = None) -> str:
    done = subprocess.run([promtool, *arguments], input=said, capture_output=True, check=False, cwd=DEPLOY)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


def test_promtool_takes_the_metrics_and_the_rules(promtool: str, record: NightRecord, progress: Progress) -> None:
    judged(promtool, "check", "metrics", said=exposition(record, {"run": progress}))
    assert "9 rules found" in judged(promtool, "check", "rules", "alerts.yml")
    judged(promtool, "test", "rules", "alerts_test.yml")
    judged(promtool, "check", "config", "prometheus.yml")


def test_promtool_takes_what_the_dashboard_asks(promtool: str, tmp_path: Path) -> None:
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(asked)} rules found" in judged(promtool, "check", "rules", str(tmp_path / "rules.json"))
