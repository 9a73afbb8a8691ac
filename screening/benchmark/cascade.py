"""How long each stage takes an image, by precision."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from schemas.instance import IMAGE_SIZE
from schemas.progress import OnProgress, counter, unwatched
from screening.benchmark.random_bundle import FULL, random_bundle
from screening.bundle.networks import load
from screening.cascade.cascade import Cascade
from screening.cascade.device import batch_size_of, computes_bf16, device_of, keep_freed_memory

STAGES_TIMED = 3  # in each precision, and Guided Grad-CAM in float32


@dataclass(frozen=True)
class StageTime:
    """One line of the benchmark."""

    stage: str  # lungs, pneumonia, covid or guided
    network: str  # architecture and input size
    device: str
    dtype: str  # guided is float32 always
    batch_size: int
    milliseconds: float  # an image, the best of the repeats


def cascade_benchmark(
    bundle_url: str | None = None,
    images: int = 16,
    device: str = "auto",
    batch_size: int | None = None,
    repeats: int = 3,
    on_progress: OnProgress = unwatched,
) -> Iterator[StageTime]:
    """Yield the time of each stage in float32, and in bf16 where the device computes in it, and of Guided Grad-CAM, as it is measured.

    Each stage judges every image, as in the worst night; its time contains the preparation of its input. Without a bundle the networks
    are of full size (U-Net at 256, DenseNet-121 at 512) with random weights, which take as long as any others.

    Args:
        bundle_url: networks to time.
        images: random images to judge.
        device: as in `Cascade.from_bundle`.
        batch_size: as in `Cascade.from_bundle`.
        repeats: passes after the first, which is not timed.
    """
    place = device_of(device)
    if place.type == "cpu":
        keep_freed_memory()
    bundle = random_bundle(FULL) if bundle_url is None else load(bundle_url)
    pixels = np.random.default_rng(0).integers(0, 256, (images, 1, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    dtypes = [torch.float32, torch.bfloat16] if computes_bf16(place) else [torch.float32]
    count = counter(on_progress, "stages", STAGES_TIMED * len(dtypes) + 1)
    for dtype in dtypes:
        cascade = Cascade(bundle, place, dtype, batch_size or batch_size_of(place, dtype))
        for stage, judge in _stages(cascade, pixels, with_guided=dtype == torch.float32):
            network = bundle.manifest.networks["covid" if stage == "guided" else stage]
            seconds = min(_seconds(judge, place) for _ in range(repeats))
            name = f"{network.architecture} {network.input_size}"
            milliseconds = 1000 * seconds / images
            yield StageTime(stage, name, str(place), str(dtype).removeprefix("torch."), cascade.batch_size, milliseconds)
            count(1)


def _stages(cascade: Cascade, pixels: np.ndarray, with_guided: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each stage's name and a function that runs it on every image; the first run is made here."""
    everyone = np.arange(len(pixels))
    with torch.inference_mode():
        held = cascade.hold(pixels)
        cascade.find_lungs(held)
        yield "lungs", lambda: cascade.find_lungs(held)
        masks = torch.ones((len(pixels), IMAGE_SIZE, IMAGE_SIZE), dtype=torch.bool, device=cascade.device)
        _, h2 = cascade.judge("pneumonia", held, masks, everyone)
        yield "pneumonia", lambda: cascade.judge("pneumonia", held, masks, everyone)
        _, h3 = cascade.judge("covid", held, masks, everyone, h2)
        yield "covid", lambda: cascade.judge("covid", held, masks, everyone, h2)
        if with_guided:
            cascade.illustrate(held, masks, h2, h3, everyone[:1])
            yield "guided", lambda: cascade.illustrate(held, masks, h2, h3, everyone)


def _seconds(judge: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    judge()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
