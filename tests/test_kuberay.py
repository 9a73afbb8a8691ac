"""The manifests for Kubernetes are ones that KubeRay's own schemas take, and what they start is what this project has."""

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.service import ServiceSettings
from screening.nightly.config import load_config
from tests.command_lines import read_command_line
from tests.kuberay import errors_of, schema_of

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "kuberay"
RAY = {"night-rayjob.yaml": "RayJob", "night-raycronjob.yaml": "RayCronJob", "service.yaml": "RayService"}


def read(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / file).read_text()))


def one(file: str) -> dict[str, Any]:
    [manifest] = read(file)
    return manifest


def cluster_of(file: str) -> dict[str, Any]:
    spec = one(file)["spec"]
    return spec.get("rayClusterConfig") or spec.get("jobTemplate", spec)["rayClusterSpec"]


def groups_of(file: str) -> list[dict[str, Any]]:
    return [cluster_of(file)["headGroupSpec"], *cluster_of(file)["workerGroupSpecs"]]


@pytest.mark.parametrize(("file", "kind"), RAY.items())
def test_kuberay_takes_it_and_nothing_in_it_is_unknown(file: str, kind: str) -> None:
    manifest = one(file)
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", kind)
    assert errors_of(manifest, schema_of(kind)) == []
    spoilt = copy.deepcopy(manifest)
    spoilt["spec"]["runsAt"] = "22:00"
    assert errors_of(spoilt, schema_of(kind)) == ["spec: Additional properties are not allowed ('runsAt' was unexpected)"]


@pytest.mark.parametrize("file", RAY)
def test_pods_ask_for_a_token_run_as_nobody_special_and_start_ray_as_it_can_be_started(file: str) -> None:
    from ray import __version__

    assert (cluster_of(file)["authOptions"], cluster_of(file)["rayVersion"]) == ({"mode": "token"}, __version__)
    for group in groups_of(file):
        for name, value in group["rayStartParams"].items():
            read_command_line(f"ray start --{name}={value}")
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    assert groups_of(file)[0]["rayStartParams"]["num-cpus"] == "0"


def test_a_night_by_either_timer_is_the_same_night_and_a_real_command() -> None:
    job = one("night-rayjob.yaml")["spec"]
    assert one("night-raycronjob.yaml")["spec"]["jobTemplate"] == job
    said = read_command_line(job["entrypoint"])
    assert said["config"] == "/etc/screening/nightly.toml"
    pod = job["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    config = load_config(str(FOLDER / "nightly.toml"))
    assert said["config"] in mounts
    assert str(Path(config.pseudonym_key).parent) in mounts
    assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}
    gpus = [group["maxReplicas"] for group in job["rayClusterSpec"]["workerGroupSpecs"] if group["groupName"] == "cascade"]
    assert [config.run.actors * config.run.gpus_per_actor] == gpus
    with pytest.raises(Exception, match="No such option: --until-morning"):
        read_command_line(job["entrypoint"] + " --until-morning")


def test_the_plain_timer_creates_the_night_and_may_do_nothing_else() -> None:
    cron = one("night-cronjob.yaml")
    template = cron["spec"]["jobTemplate"]["spec"]["template"]
    assert errors_of(template, schema_of("RayJob")["properties"]["spec"]["properties"]["submitterPodTemplate"]) == []
    assert one("night-raycronjob.yaml")["spec"]["schedule"] == cron["spec"]["schedule"]
    kustomization = one("kustomization.yaml")
    made = {entry["name"]: entry["files"] for entry in kustomization["configMapGenerator"]}
    [volume] = template["spec"]["volumes"]
    [mount] = template["spec"]["containers"][0]["volumeMounts"]
    [file] = made[volume["configMap"]["name"]]
    assert f"--filename={mount['mountPath']}/{file}" in template["spec"]["containers"][0]["args"]
    assert [name for name in (*kustomization["resources"], *itertools.chain(*made.values())) if not (FOLDER / name).exists()] == []
    access = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in read("access.yaml")}
    account = template["spec"]["serviceAccountName"]
    assert access["Role", account]["rules"] == [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create"]}]
    assert access["RoleBinding", account]["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    accounts = {group["template"]["spec"]["serviceAccountName"] for file in RAY for group in groups_of(file)}
    assert {("ServiceAccount", name) for name in accounts} < access.keys()


def test_the_service_is_the_application_of_the_configuration_for_serve() -> None:
    from ray.serve.schema import ServeDeploySchema

    config = yaml.safe_load(one("service.yaml")["spec"]["serveConfigV2"])
    assert config == yaml.safe_load((ROOT / "serve/config.yaml").read_text())
    [application] = ServeDeploySchema.model_validate(config).applications
    settings = ServiceSettings.model_validate(application.args["settings"])
    [workers] = groups_of("service.yaml")[1:]
    assert (workers["minReplicas"], workers["maxReplicas"]) == (settings.replicas, settings.max_replicas)
    assert f"install --directory --owner=1000 {settings.log}" in (ROOT / "Dockerfile").read_text()
