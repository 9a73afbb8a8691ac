"""The files that describe a cluster of machines are ones that `ray up` takes, and every command in them is a real one."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from screening.openmp import VARIABLES
from screening.run.ray_session import ENVIRONMENT
from tests.command_lines import read_command_line

ROOT = Path(__file__).resolve().parent.parent
FILES = ("cluster.yaml", "deploy/cluster/local.yaml")


def read(file: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / file).read_text())


def variables(text: str) -> dict[str, str]:
    """Return the lines NAME=VALUE of a file for a shell."""
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("file", FILES)
def test_ray_accepts_the_file_and_nothing_in_it_is_unknown(file: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(copy.deepcopy(read(file))))
    with pytest.raises(Exception, match="Additional properties"):
        validate_config(prepare_config(read(file) | {"idle_timeout_hours": 1}))


@pytest.mark.parametrize("file", FILES)
def test_ray_starts_with_a_token_and_no_report_of_usage_and_its_dashboard_is_seen_by_the_head_alone(file: str) -> None:
    config = read(file)
    head, worker = (config[f"{kind}_start_ray_commands"] for kind in ("head", "worker"))
    for line in (*head, *worker):
        read_command_line(line)
    started = read_command_line(head[-1])
    assert (started["head"], started["dashboard_host"], started["disable_usage_stats"]) == (True, "127.0.0.1", True)
    joined = read_command_line(worker[-1])
    assert (joined["address"], joined["disable_usage_stats"]) == (f"$RAY_HEAD_IP:{started['port']}", True)
    home = f"/home/{config['auth']['ssh_user']}"
    assert config["file_mounts"] == {f"{home}/chest-screening": ".", f"{home}/.ray/auth_token": "~/.ray/auth_token"}
    assert any("deploy/cluster/ray.env" in line for line in config["setup_commands"])


def test_machines_in_the_cloud_have_private_addresses_and_start_when_there_is_work() -> None:
    config = read("cluster.yaml")
    types = config["available_node_types"]
    assert config["provider"]["use_internal_ips"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert {name: node.get("min_workers") for name, node in types.items()} == {"head": None, "decode": 0, "cascade": 0}
    assert [name for name, node in types.items() if node["resources"].get("GPU")] == ["cascade"]
    assert config["max_workers"] == sum(node.get("max_workers", 0) for node in types.values())
    disks = [disk["Ebs"] for node in types.values() for disk in node["node_config"]["BlockDeviceMappings"]]
    assert all(disk["Encrypted"] for disk in disks)


def test_every_machine_sets_what_a_local_session_sets_and_asks_for_a_token() -> None:
    expected = ENVIRONMENT | VARIABLES | {"RAY_AUTH_MODE": "token"}
    assert variables((ROOT / "deploy/cluster/ray.env").read_text()) == expected
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert expected.items() <= dict(word.split("=", 1) for word in block.replace("\\", "").split()).items()


def test_the_image_has_the_pinned_dependencies_and_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()]
    installed = re.findall(r"pip install (.*)", text)
    assert installed == ["--requirement requirements.lock", "--no-deps --no-build-isolation --editable ."]
    assert {"requirements.lock", "pyproject.toml", "bundles"} <= set(copied)
    assert {"schemas", "screening", "train", "serve", "jobs"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert set((ROOT / ".dockerignore").read_text().split()).isdisjoint(copied)
    assert re.search(r"^USER (?!0|root)", text, re.MULTILINE)
