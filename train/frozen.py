"""The stages that are done, as a bundle: what later stages are trained behind, and what thresholds are chosen with."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from schemas.bundle import STAGES, OperatingPoint
from screening.bundle.networks import Bundle, NetworkSpec, save_bundle
from screening.models.build import build
from train.config import FitConfig, StageConfig, stage_begun_with

State = Mapping[str, torch.Tensor]

# stands in for a stage that is not trained yet: a bundle has three, and the cascade runs them; this one costs nothing
_PLACEHOLDER = NetworkSpec("densenet", 32, {"growth_rate": 1, "block_config": [1], "num_init_features": 2})


@dataclass(frozen=True)
class FrozenStages:
    """A trained stage: its network, and the weights on the CPU."""

    spec: NetworkSpec
    state: State

    def module(self) -> nn.Module:
        """Return the network with its weights, in evaluation mode."""
        module = build(self.spec)
        module.load_state_dict(self.state)
        return module.eval()

    def digest(self) -> str:
        """Return 64 hex digits that any other weight or network would change."""
        digest = hashlib.sha256(repr((self.spec.architecture, self.spec.input_size, sorted(self.spec.arguments.items()))).encode())
        for name, tensor in self.state.items():
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def spec_of(stage: StageConfig) -> NetworkSpec:
    """Return the network that a configuration asks for."""
    return NetworkSpec(stage.architecture, stage.input_size, dict(stage.arguments))


def taken_over(earlier: Bundle | None, leave: Sequence[str] = ()) -> dict[str, FrozenStages]:
    """Return the stages of an earlier bundle but those to `leave`; none without one."""
    if earlier is None:
        return {}
    networks = earlier.manifest.networks
    return {
        stage: FrozenStages(
            NetworkSpec(networks[stage].architecture, networks[stage].input_size, dict(networks[stage].arguments)), module.state_dict()
        )
        for stage, module in earlier.networks.items()
        if stage not in leave
    }


def weights_to_begin_with(stage: str, frozen: Mapping[str, FrozenStages], config: FitConfig) -> State | None:
    """Return the weights that a stage begins with, of the stages that are there: see `train.config.stage_begun_with`."""
    source = stage_begun_with(stage, {name: part.spec for name, part in frozen.items()}, config)
    return None if source is None else frozen[source].state


def mean_of_weights(first: State, last: State, share: float) -> State:
    """Return the weights between two of one network, the first with `share` in [0, 1]: running statistics too, counters of the last.

    Meant to keep most of what a training gains where it learns, and to lose less elsewhere (Wortsman et al. 2022, "Robust fine-tuning of
    zero-shot models").
    """
    return {name: torch.lerp(value, first[name].to(value), share) if value.is_floating_point() else value for name, value in last.items()}


def save_provisional(folder_url: str, frozen: Mapping[str, FrozenStages], config: FitConfig) -> str:
    """Write the finished stages as a bundle that calls nothing positive, placeholders for the others, and return its URL."""
    torch.manual_seed(0)
    done = {stage: frozen[stage].spec if stage in frozen else _PLACEHOLDER for stage in STAGES}
    modules = {stage: frozen[stage].module() if stage in frozen else build(done[stage]) for stage in STAGES}
    never = OperatingPoint(threshold=1, rule="none yet", data="none")
    save_bundle(
        folder_url,
        name="provisional",
        modules=modules,
        networks=done,
        operating_points={"pneumonia": never, "covid": never},
        preprocessing=config.preprocessing,
    )
    return folder_url
