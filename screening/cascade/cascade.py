"""The cascade: lungs, then pneumonia, then COVID-19, on one device in one process. Plain torch; batch, training and serving share it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from schemas.bundle import STAGES, BundleManifest, OperatingPoint, SitePoints
from schemas.instance import IMAGE_SIZE
from screening.bundle.networks import Bundle, load
from screening.cascade import heatmap
from screening.cascade.device import batch_size_of, device_of, dtype_of, keep_freed_memory, use_threads
from screening.cascade.guided import GuidedBackpropagation, as_pixels, guided_grad_cam
from screening.cascade.network_input import lung_mask_of, network_input
from screening.cascade.result import CascadeResult, Judgement, judgement_by_site
from screening.errors import BundleError, UsageError
from screening.models.folded import fold

CALL_BATCHES = {"cpu": 8, "cuda": 4}  # a GPU fills the last batch of each stage, which costs the less the more images there are
GUIDED_BATCH = {"cpu": 1, "cuda": 8}  # a backward pass keeps every map of the network: 1 GB for one image of 512 x 512 pixels


class Cascade:
    """A bundle's three networks, ready to judge images.

    What an image gets does not depend on the other images of the call or their order: networks are in evaluation mode, and what follows
    them is computed in float64. Convolutions may depend on the batch size in the last bit of float32; so a GPU's last batch is filled to
    the full size, and a CPU takes one float32 image at a time unless told otherwise.
    """

    def __init__(self, bundle: Bundle, device: torch.device, dtype: torch.dtype, batch_size: int):
        """Fold the networks for `dtype`; see `from_bundle`."""
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, not {batch_size}")
        self.manifest: BundleManifest = bundle.manifest
        self.digest = bundle.manifest.digest()
        self.device, self.dtype, self.batch_size = device, dtype, batch_size
        self._networks = {stage: fold(bundle.networks[stage], dtype).to(device) for stage in STAGES}
        heads = {stage: bundle.networks[stage].head for stage in ("pneumonia", "covid")}
        self._heads = {stage: (head.weight.detach().to(device), head.bias.detach().to(device)) for stage, head in heads.items()}
        self._backpropagation = GuidedBackpropagation(bundle.networks["covid"]).to(device)

    @classmethod
    def from_bundle(
        cls,
        url: str,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | None = None,
        threads: int | None = None,
        operating_points: Mapping[str, OperatingPoint] | None = None,
        sites: Mapping[str, SitePoints] | None = None,
    ) -> "Cascade":
        """Check and load the bundle at `url`.

        Args:
            url: folder of the bundle, any fsspec URL.
            device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1".
            dtype: "auto" (bf16 where the device computes in it), "float32", "bfloat16".
            batch_size: images a forward pass; None is 64 on a GPU; on a CPU 4 in bf16, 1 in float32.
            threads: CPU threads of this whole process; None leaves torch's choice.
            operating_points: stage → another threshold than the bundle's own; the digest is another one then.
            sites: InstitutionName → what judges the images of that site alone; the digest is another one then.

        Raises:
            BundleError: the bundle is damaged, incomplete or not for this code.
            UsageError: the device is not there, or an argument makes no sense.
        """
        place = device_of(device)
        precision = dtype_of(dtype, place)
        if threads is not None:
            use_threads(threads)
        if place.type == "cpu":
            keep_freed_memory()
        bundle = load(url)
        bundle = replace(bundle, manifest=bundle.manifest.judging_at(operating_points, sites))
        return cls(bundle, place, precision, batch_size_of(place, precision) if batch_size is None else batch_size)

    def __call__(
        self,
        pixels: np.ndarray | torch.Tensor,
        audit: np.ndarray | None = None,
        guided: bool | np.ndarray = True,
        sites: Sequence[str | None] | None = None,
    ) -> CascadeResult:
        """Judge images.

        Args:
            pixels: (B, 1, 512, 512) uint8 as `screening.ingest.preprocess` makes them; may be read-only.
            audit: (B,) bool: images that go on to stage 3 even where stage 2 calls them negative. None is none of them.
            sites: InstitutionName of each image, as rows hold it; None, and a site without points of its own, takes the bundle's.
            guided: make the Guided Grad-CAM of stage-3 positives; (B,) bool says of which.

        Raises:
            UsageError: shapes or types are not these.
            BundleError: a network gives logits that are not finite.
        """
        audit = _checked(pixels, audit)
        limits = self.manifest.preprocessing
        with torch.inference_mode():
            held = self.hold(pixels)
            masks, area = self.find_lungs(held)
            has_lungs = (area >= limits.min_lung_area_fraction) & (area <= limits.max_lung_area_fraction)
            pneumonia, h2 = self.judge("pneumonia", held, masks, np.flatnonzero(has_lungs), sites=sites)
            audited = has_lungs & audit & ~pneumonia.positive
            reached = pneumonia.positive | audited
            covid, h3 = self.judge("covid", held, masks, np.flatnonzero(reached), h2, sites=sites)
            covid_positive = covid.positive & ~audited
            illustrated = np.flatnonzero(covid_positive & guided)
            pictures = self.illustrate(held, masks, h2, h3, illustrated)
        return CascadeResult(
            lungs_found=has_lungs,
            lung_area_fraction=area,
            lung_mask=masks.cpu().numpy(),
            pneumonia_logit=pneumonia.logit,
            pneumonia_score=pneumonia.score,
            pneumonia_probability=pneumonia.probability,
            pneumonia_positive=pneumonia.positive,
            pneumonia_heatmap=h2.cpu().numpy(),
            reached_covid=reached,
            audit_sample=audited,
            covid_logit=covid.logit,
            covid_score=covid.score,
            covid_probability=covid.probability,
            covid_positive=covid_positive,
            covid_heatmap=h3.cpu().numpy(),
            guided=dict(zip(illustrated.tolist(), pictures, strict=True)),
        )

    @property
    def images_a_call(self) -> int:
        """How many images a call should have where there are many: it holds all of them, and what each stage makes of them."""
        return self.batch_size * CALL_BATCHES.get(self.device.type, 4)

    def hold(self, pixels: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return the pixels on the device, (B, 1, 512, 512) uint8; to a GPU through pinned memory, batch by batch, without waiting."""
        if isinstance(pixels, np.ndarray):
            pixels = torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
        if self.device.type != "cuda" or pixels.device.type == "cuda":
            return pixels.to(self.device)
        held = torch.empty(pixels.shape, dtype=torch.uint8, device=self.device)
        for start in range(0, len(pixels), self.batch_size):
            part = pixels[start : start + self.batch_size]
            held[start : start + len(part)].copy_(part.pin_memory(), non_blocking=True)
        return held

    def _batches(self, images: np.ndarray, batch_size: int) -> Iterator[tuple[torch.Tensor, int]]:
        """Yield (indices on the device, how many of them count); on a GPU the last batch is filled by repeating its last image."""
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            count = len(batch)
            if self.device.type == "cuda":
                batch = np.pad(batch, (0, batch_size - count), mode="edge")
            yield torch.from_numpy(batch).to(self.device), count

    def find_lungs(self, held: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
        """Stage 1. Return masks (B, m, m) bool and their share of the image, (B,) float32."""
        side = self.manifest.networks["lungs"].input_size
        masks = torch.zeros((len(held), side, side), dtype=torch.bool, device=self.device)
        for batch, count in self._batches(np.arange(len(held)), self.batch_size):
            x = network_input(held[batch], self.manifest.preprocessing, side)
            masks[batch[:count]] = lung_mask_of(self._networks["lungs"](x), self.manifest.preprocessing)[:count]
        return masks, masks.double().mean(dim=(1, 2)).float().cpu().numpy()

    def judge(
        self,
        stage: str,
        held: torch.Tensor,
        masks: torch.Tensor,
        images: np.ndarray,
        h2: torch.Tensor | None = None,
        sites: Sequence[str | None] | None = None,
    ) -> tuple[Judgement, torch.Tensor]:
        """Stage 2, or stage 3 where H² is given, on those images. Return the judgement and heatmaps (B, h, w) float32, NaN elsewhere."""
        logits = torch.full((len(held),), torch.nan, device=self.device)
        side = self._map_side(stage)
        maps = torch.full((len(held), side, side), torch.nan, device=self.device)
        weight, bias = self._heads[stage]
        for batch, count in self._batches(images, self.batch_size):
            x = self._input(stage, held, masks, h2, batch)
            features = self._networks[stage].features_of(x)[:count]
            activation = heatmap.class_activation_map(features, weight)
            logits[batch[:count]] = heatmap.logit_of(activation, bias).float()
            maps[batch[:count]] = self._heatmap(stage, features, activation)
        values = logits.cpu().numpy()
        if not np.isfinite(values[images]).all():
            raise BundleError(f"stage {stage!r} of bundle {self.digest[:12]} gives logits that are not finite in {self.dtype}: use float32")
        return judgement_by_site(values, stage, self.manifest, sites or ()), maps

    def pooled_features(
        self, stage: str, held: torch.Tensor, masks: torch.Tensor, images: np.ndarray, h2: torch.Tensor | None = None
    ) -> np.ndarray:
        """Return what the head of stage 2, or of 3 where H² is given, sees of those images: the maps' means, (len(images), C) float32."""
        pooled = [np.empty((0, self._heads[stage][0].shape[1]), np.float32)]
        for batch, count in self._batches(images, self.batch_size):
            features = self._networks[stage].features_of(self._input(stage, held, masks, h2, batch))
            pooled.append(features[:count].double().mean(dim=(2, 3)).float().cpu().numpy())
        return np.concatenate(pooled)

    def _input(self, stage: str, held: torch.Tensor, masks: torch.Tensor, h2: torch.Tensor | None, batch: torch.Tensor) -> torch.Tensor:
        size = self.manifest.networks[stage].input_size
        return network_input(held[batch], self.manifest.preprocessing, size, masks[batch], None if h2 is None else h2[batch])

    def _map_side(self, stage: str) -> int:
        if stage == "pneumonia" and self.manifest.heatmap == "paper_reshape":
            return heatmap.PAPER_SIDE
        return self.manifest.networks[stage].input_size // self._networks[stage].reduction

    def _heatmap(self, stage: str, features: torch.Tensor, activation: torch.Tensor) -> torch.Tensor:
        if stage == "covid":
            return heatmap.scale_to_peak(heatmap.grad_cam_of(activation))
        return heatmap.scale_to_range(heatmap.paper_reshape(features) if self.manifest.heatmap == "paper_reshape" else activation)

    def illustrate(
        self, held: torch.Tensor, masks: torch.Tensor, h2: torch.Tensor, h3: torch.Tensor, images: np.ndarray
    ) -> list[np.ndarray]:
        """Return the Guided Grad-CAM of those images, each (512, 512) uint8; Grad-CAM's scale does not show in it."""
        pictures: list[np.ndarray] = []
        for batch, count in self._batches(images, min(self.batch_size, GUIDED_BATCH.get(self.device.type, 1))):
            x = self._input("covid", held, masks, h2, batch)
            pictures.extend(as_pixels(guided_grad_cam(self._backpropagation, x, h3[batch]))[:count].cpu().numpy())
        return pictures


def _checked(pixels: np.ndarray | torch.Tensor, audit: np.ndarray | None) -> np.ndarray:
    """Return `audit` as (B,) bool, or raise UsageError where the arguments of a call do not fit."""
    if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (1, IMAGE_SIZE, IMAGE_SIZE) or pixels.dtype not in (np.uint8, torch.uint8):
        raise UsageError(f"pixels must be (B, 1, {IMAGE_SIZE}, {IMAGE_SIZE}) uint8, not {tuple(pixels.shape)} {pixels.dtype}")
    audit = np.zeros(len(pixels), bool) if audit is None else np.asarray(audit)
    if audit.shape != (len(pixels),) or audit.dtype != bool:
        raise UsageError(f"audit must be ({len(pixels)},) bool, not {audit.shape} {audit.dtype}")
    return audit
