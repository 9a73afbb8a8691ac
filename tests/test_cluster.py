"""cluster.yaml is one that `ray up` takes."""

import copy
from pathlib import Path

import yaml

CLUSTER = Path(__file__).resolve().parent.parent / "cluster.yaml"


def test_ray_accepts_the_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load(CLUSTER.read_text())
    validate_config(prepare_config(copy.deepcopy(config)))
    assert config["available_node_types"]["cascade"]["resources"]["GPU"] == 1
    assert config["provider"]["use_internal_ips"]
