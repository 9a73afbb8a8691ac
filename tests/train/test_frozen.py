import dataclasses
from pathlib import Path

import torch

from screening.bundle.networks import NetworkSpec, load
from tests.screening.networks import small_densenet, small_unet
from train.config import FitConfig, StageConfig, preset
from train.frozen import FrozenStages, mean_of_weights, save_provisional, spec_of, taken_over, weights_to_begin_with


def configuration(**changes: object) -> FitConfig:
    config = preset("small")
    return dataclasses.replace(config, covid=dataclasses.replace(config.covid, **changes))


def frozen(stage: StageConfig, seed: int) -> FrozenStages:
    spec = spec_of(stage)
    return FrozenStages(spec, small_densenet(seed=seed).state_dict())


def test_a_stage_begins_with_its_own_weights_then_those_it_names_then_fresh_ones() -> None:
    config = configuration(begins_with="pneumonia")
    stages = {"pneumonia": frozen(config.pneumonia, 1)}
    assert weights_to_begin_with("covid", stages, config) is stages["pneumonia"].state
    assert weights_to_begin_with("covid", stages, configuration()) is None
    stages["covid"] = frozen(config.covid, 2)
    assert weights_to_begin_with("covid", stages, config) is stages["covid"].state


def test_weights_of_another_network_are_no_use() -> None:
    config = configuration(begins_with="pneumonia")
    other = FrozenStages(NetworkSpec("densenet", 128, {"growth_rate": 4}), {})
    assert weights_to_begin_with("covid", {"pneumonia": other}, config) is None
    same = frozen(config.pneumonia, 1)
    assert weights_to_begin_with("covid", {"covid": other, "pneumonia": same}, config) is same.state, (
        "those it names, where its own are no use"
    )


def test_the_mean_of_two_networks_lies_between_them() -> None:
    first, last = (small_densenet(seed=seed).state_dict() for seed in (0, 1))
    last["features.norm0.num_batches_tracked"].fill_(7)
    between = mean_of_weights(first, last, 0.25)
    assert between.keys() == last.keys()
    for name, value in between.items():
        expected = 0.25 * first[name] + 0.75 * last[name] if value.is_floating_point() else last[name]
        torch.testing.assert_close(value, expected)
    assert all(torch.equal(value, last[name]) for name, value in mean_of_weights(first, last, 0.0).items())


def test_stages_to_leave_are_not_taken_over(tmp_path: Path) -> None:
    config = preset("small")
    lungs = FrozenStages(NetworkSpec("unet", 128, {"base_channels": 4, "depth": 3}), small_unet().state_dict())
    earlier = load(save_provisional(str(tmp_path / "bundle"), {"lungs": lungs}, config))
    assert set(taken_over(earlier)) == {"lungs", "pneumonia", "covid"}
    kept = taken_over(earlier, leave=("pneumonia", "covid"))
    assert set(kept) == {"lungs"}
    assert kept["lungs"].digest() == lungs.digest()
    assert taken_over(None) == {}
