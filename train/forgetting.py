"""How much an old task is forgotten while a new disease is learnt, by lambda of Eq. 2: the sweep, on synthetic radiographs.

An earlier stage 2 has learnt normal against pneumonia from four hospitals. A fifth, with another machine and other habits, then sends
COVID-19 and a few of each old class: these are D. The films of the old four are D_o: only distillation uses them, and not their labels.
Lung masks are the phantoms' own, so that nothing but stage 2 takes part.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import ray.data
import torch

from screening.cascade.network_input import compose
from screening.metrics import Area, AreaDifference, delong, delong_paired
from screening.phantom.radiograph import make_phantom
from screening.phantom.sites import SITES
from train.config import FitConfig, preset
from train.data.inputs import StageInputs, unpack, with_old_data
from train.data.strata import strata_of
from train.frozen import FrozenStages, spec_of
from train.loop.trainer import train_stage
from train.session import training_session
from train.stages import STAGES, TUNING

STAGE = STAGES["pneumonia"]
OLD_SITES, NEW_SITE = [site.name for site in SITES[:-1]], SITES[-1].name
FEW = 6  # of `images`, one in so many comes from the new hospital for each old class
_SEVERITY = {"normal": None, "pneumonia": 0.6, "covid": 0.7}
_PER_BATCH = 128


@dataclass(frozen=True)
class Sweep:
    """How one model does: areas with DeLong's 95 % intervals on test films of both tasks."""

    model: str  # "earlier", or "lambda" and its value
    old: Area  # normal against pneumonia, the old hospitals
    lost: AreaDifference | None  # what the earlier model has more on the same films; None for itself
    new: Area  # normal against COVID-19, the new hospital
    epochs: int


def sweep(weights: Sequence[float], images: int = 96, epochs: int = 12, seed: int = 0) -> Iterator[Sweep]:
    """Train the earlier model, then from it one new model for each lambda, and give each as it is done.

    `images`: training films of each old class in the old hospitals, and of COVID-19 in the new one; half as many tune, and as many of
    each class test.
    """
    config = preset("small", seed=seed)
    config = dataclasses.replace(config, pneumonia=dataclasses.replace(config.pneumonia, epochs=epochs, patience=epochs))
    with training_session(None) as storage_url:
        films = _Films(seed, config)
        old = films.inputs(dict.fromkeys(STAGE.old_groups, images), OLD_SITES)
        new = films.inputs(dict.fromkeys(STAGE.old_groups, images // FEW) | {"covid": images}, [NEW_SITE])
        tests = [films.layers(dict.fromkeys(groups, images), sites) for groups, sites in _TESTS]
        trained = train_stage("pneumonia", old, config, storage_url, "earlier")
        earlier = FrozenStages(spec_of(config.pneumonia), trained.state)
        before = [_logits(earlier, table, config) for table in tests]
        yield _judged("earlier", before, None, len(trained.curve))
        for weight in weights:
            told = dataclasses.replace(config, distill_weight=weight)
            inputs = with_old_data("pneumonia", new, old) if weight else new
            trained = train_stage("pneumonia", inputs, told, storage_url, f"new-{weight}", initial=earlier.state, earlier=earlier)
            answers = [_logits(FrozenStages(earlier.spec, trained.state), table, config) for table in tests]
            yield _judged(f"lambda {weight:g}", answers, before, len(trained.curve))


_TESTS = ((STAGE.old_groups, OLD_SITES), (("normal", "covid"), [NEW_SITE]))
Answers = tuple[np.ndarray, np.ndarray]  # labels (N,) bool and logits (N,) of one test set


def _judged(model: str, answers: Sequence[Answers], before: Sequence[Answers] | None, epochs: int) -> Sweep:
    old, new = answers
    lost = None if before is None else delong_paired(old[0], before[0][1], old[1])
    return Sweep(model, delong(*old), lost, delong(*new), epochs)


class _Films:
    """Synthetic films, none of them twice and each of a person of its own, as rows of `StageInputs`."""

    def __init__(self, seed: int, config: FitConfig):
        self._numbers = itertools.count(1_000_000 * seed)
        self._config = config.pneumonia
        self._size = (config.pneumonia.input_size,) * 2

    def inputs(self, counts: Mapping[str, int], sites: Sequence[str]) -> StageInputs:
        """Return films to train on, `counts` of each group, and half as many to tune on, as `stage_inputs` would."""
        tables = {group: self.layers({group: n}, sites) for group, n in counts.items()}
        tables[TUNING] = self.layers({group: max(4, n // 2) for group, n in counts.items()}, sites)
        rows = {name: len(table) for name, table in tables.items()}
        strata = strata_of(STAGE, {(group, ""): n for group, n in counts.items()}, self._config, workers=1)
        return StageInputs({name: ray.data.from_arrow(table) for name, table in tables.items()}, rows, 0, strata.shares, strata.weights)

    def layers(self, counts: Mapping[str, int], sites: Sequence[str]) -> pa.Table:
        """Return so many films of each group, from the hospitals in turn."""
        rows = []
        for group in (group for group, n in counts.items() for _ in range(n)):
            number = next(self._numbers)
            film = make_phantom(number, group, size=self._size, site=sites[number % len(sites)], severity=_SEVERITY[group])
            layers = {"image": np.float16(film.image), "weight": np.float16(film.lung_mask), "target": np.uint8(group in STAGE.positive)}
            rows.append({"group": group} | {name: layer.tobytes() for name, layer in layers.items()})
        return pa.Table.from_pylist(rows)


@torch.no_grad()
def _logits(model: FrozenStages, table: pa.Table, config: FitConfig) -> Answers:
    """Return labels and logits of every row, in float32 on the CPU."""
    rows, module = unpack(table.to_pydict(), model.spec.input_size), model.module()
    image, weight = (torch.from_numpy(rows[name]).float()[:, None] for name in ("image", "weight"))
    x = compose(image, weight, config.preprocessing)
    logits = torch.cat([module(part) for part in x.split(_PER_BATCH)])
    return rows["target"] > 0, logits[:, 0].numpy()
