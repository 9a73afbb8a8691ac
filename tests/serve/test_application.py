"""`serve/config.yaml` is one that Ray Serve takes, and says what the server can be told."""

from pathlib import Path

import yaml
from ray.serve.schema import ServeDeploySchema

from schemas.service import ServiceSettings
from serve.application import Arguments, application_of, build

CONFIG = Path(__file__).resolve().parents[2] / "serve" / "config.yaml"


def test_ray_serve_accepts_the_configuration() -> None:
    config = ServeDeploySchema.model_validate(yaml.safe_load(CONFIG.read_text()))
    [application] = config.applications
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    settings = Arguments.model_validate(application.args).settings
    assert settings.tokens
    assert config.http_options.request_timeout_s > settings.request_seconds
    deployments = deployments_of(settings)
    assert deployments["Cascade"].ray_actor_options["num_gpus"] == 1
    assert deployments["Cascade"]._deployment_config.autoscaling_config.max_replicas == 8


def deployments_of(settings: ServiceSettings) -> dict:
    entrance = application_of(settings)._bound_deployment
    cascade = entrance.init_args[1]._bound_deployment
    return {deployment.name: deployment for deployment in (entrance, cascade)}


def test_one_machine_has_one_replica_with_its_cores() -> None:
    deployments = deployments_of(ServiceSettings(bundle="b", open=True, cpus_per_replica=2, queue=8))
    assert deployments["Cascade"].num_replicas == 1
    assert deployments["Cascade"].ray_actor_options["num_cpus"] == 2
    assert deployments["Gateway"].max_ongoing_requests > 8
