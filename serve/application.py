"""The Serve application: gateways that speak HTTP and decode, and replicas of the cascade behind them."""

import os

from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from schemas.bundle import FrozenModel
from schemas.service import ServiceSettings
from serve.gateway import Gateway

DRAIN_SECONDS = 5.0  # beyond the time that a request may take


def _app() -> FastAPI:
    from serve.app import make_app

    return make_app()


@serve.ingress(_app)
class GatewayDeployment:
    """A Serve replica that holds a gateway, where `serve.gateway.gateway` finds it."""

    def __init__(self, settings: ServiceSettings, cascade: DeploymentHandle):
        """Make the gateway. Raises as `Gateway` does."""
        self.gateway = Gateway(settings, cascade)


class Arguments(FrozenModel):
    """What `serve/config.yaml` hands to `build`."""

    settings: ServiceSettings


def build(arguments: Arguments) -> serve.Application:
    """Return the application that the settings describe: what import_path names in `serve/config.yaml`."""
    return application_of(arguments.settings)


def application_of(settings: ServiceSettings, listening_on: tuple[str, int] | None = None) -> serve.Application:
    """Return the application that the settings describe, for `serve.run`.

    With `listening_on`, host and port, its one gateway listens there; without, Ray's proxies do, on every node of a cluster.
    """
    from serve.cascade_replica import CascadeReplica
    from serve.listening import ListeningGateway

    draining = settings.request_seconds + DRAIN_SECONDS
    cores = settings.cpus_per_replica or os.cpu_count() or 1
    scaling: dict[str, object] = {"num_replicas": settings.replicas}
    if settings.max_replicas and settings.max_replicas > settings.replicas:
        limits = {"min_replicas": settings.replicas, "max_replicas": settings.max_replicas}
        scaling = {"autoscaling_config": limits | {"target_ongoing_requests": 4}}
    cascade = serve.deployment(CascadeReplica).options(
        name="Cascade",
        ray_actor_options={"num_cpus": 0 if settings.gpus_per_replica else cores, "num_gpus": settings.gpus_per_replica},
        max_ongoing_requests=2 * settings.queue,
        max_queued_requests=2 * settings.queue,
        graceful_shutdown_timeout_s=draining,
        health_check_timeout_s=60,
        **scaling,
    )
    entrance = serve.deployment(ListeningGateway if listening_on else GatewayDeployment).options(
        name="Gateway",
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=4 * settings.queue,  # it says no by itself, and quickly
        graceful_shutdown_timeout_s=draining,
    )
    return entrance.bind(settings, cascade.bind(settings), *(listening_on or ()))
