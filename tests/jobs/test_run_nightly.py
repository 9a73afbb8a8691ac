"""`screening nightly`: what is checked before a night begins, its exit codes, and the timer's files."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from screening.bundle.released import phantom_bundle
from screening.results.lock import holding
from tests.archives import phantom_dicom
from tests.programs import in_process

DEPLOY = Path(__file__).resolve().parents[2] / "deploy/nightly"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A night over two radiographs, without a report."""
    (tmp_path / "archive").mkdir()
    for seed in range(2):
        (tmp_path / f"archive/{seed}.dcm").write_bytes(phantom_dicom(seed, "normal"))
    file, key = tmp_path / "nightly.toml", tmp_path / "key"
    key.write_bytes(b"0123456789abcdef" * 4)
    key.chmod(0o600)
    file.write_text(
        f'archive = "{tmp_path}/archive"\nresults = "{tmp_path}/r"\nbundle = "{phantom_bundle()}"\npseudonym_key = "{key}"\n'
        "[report]\nenabled = false\n[monitor]\nlimits = {min_objects = 3}\n"
    )
    return file


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ray_cluster: None) -> Callable[..., tuple[str, str]]:
    """Runs the command line in this process, checks its exit code, and gives what it writes to stdout and stderr."""
    screening = in_process(monkeypatch, capsys)

    def run(*arguments: str, expected: int) -> tuple[str, str]:
        code, out, err = screening(*arguments)
        assert code == expected, err
        return out, " ".join(err.split())

    return run


@pytest.mark.slow  # a whole night
def test_a_night_by_one_file(config: Path, told: Callable[..., tuple[str, str]]) -> None:
    out, err = told("nightly", str(config), "--date", "2020-03-01", "--json", expected=1)
    record = json.loads(out)
    assert record["status"] == "finished"
    assert [step["status"] for step in record["steps"]] == ["finished", "finished", "finished", "skipped", "finished", "skipped"]
    assert record["told"][0].startswith("limit_crossed: min_objects=3 at all sites: 2")
    assert "2 of 2 objects answered" in err


def test_what_is_wrong_is_told_before_a_night_begins(config: Path, told: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    assert "all right" in told("nightly", str(config), "--check", expected=0)[0]
    for old, new, said, code in [
        ("/archive", "/no-archive", "no-archive", 1),
        ("min_objects", "min_people", "no limit min_people", 2),
        ("[report]", '[redrive]\nreasons = ["bad_mood"]\n[report]', "no reason bad_mood", 2),
        (f'bundle = "{phantom_bundle()}"', f'bundle = "{tmp_path}/none"', "bundle.json is missing", 1),
    ]:
        other = tmp_path / "other.toml"
        other.write_text(config.read_text().replace(old, new))
        assert said in told("nightly", str(other), expected=code)[1]
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("command", [["nightly"], ["run"], ["redrive"]])
def test_who_holds_the_results_is_named(command: list[str], config: Path, told: Callable[..., tuple[str, str]], tmp_path: Path) -> None:
    options = {
        "nightly": [str(config)],
        "run": [f"{tmp_path}/archive", "--results", f"{tmp_path}/r", "--bundle", phantom_bundle(), "--pseudonym-key", f"{tmp_path}/key"],
        "redrive": [f"{tmp_path}/r", "--pseudonym-key", f"{tmp_path}/key"],
    }
    with holding(f"{tmp_path}/r", "another night"):
        _, said = told(*command, *options[command[0]], expected=1)
    assert "is held by another night, process" in said
    assert "nothing was done here" in said
    assert {file.name for file in (tmp_path / "r").iterdir()} == {"lock.json"}


def test_systemd_takes_the_unit_files(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for file in DEPLOY.glob("screening-nightly.*"):
        (tmp_path / file.name).write_text(file.read_text().replace("/opt/screening/bin/screening", "/bin/true"))
    units = [str(tmp_path / f"screening-nightly.{kind}") for kind in ("service", "timer")]
    verified = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_timer_and_the_crontab_start_this_command() -> None:
    unit = (DEPLOY / "screening-nightly.service").read_text()
    assert "ExecStart=/opt/screening/bin/screening nightly /etc/screening/nightly.toml\n" in unit
    lines = [line for line in (DEPLOY / "crontab").read_text().splitlines() if not line.startswith("#")]
    assert all(line.endswith("screening /opt/screening/bin/screening nightly /etc/screening/nightly.toml") for line in lines)
    assert "OnCalendar=" in (DEPLOY / "screening-nightly.timer").read_text()
