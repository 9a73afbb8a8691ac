"""The cascade against a plain loop over the same networks, and its promises: order, batch and company do not matter."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from schemas.bundle import STAGES, BundleManifest, Calibration, Network, OperatingPoint, Preprocessing
from screening.bundle.networks import Bundle
from screening.cascade.cascade import Cascade
from screening.cascade.network_input import network_input
from screening.cascade.result import CascadeResult
from screening.errors import BundleError, UsageError
from tests.screening.networks import small_densenet, small_unet

IMAGES = 7
CPU = torch.device("cpu")
SIZES = {"lungs": 64, "pneumonia": 128, "covid": 96}


def manifest_with(pneumonia: float = 0.5, covid: float = 0.5, **changed) -> BundleManifest:
    """Return a manifest with those thresholds; its hashes are of no file."""
    architecture = {"lungs": "unet", "pneumonia": "densenet", "covid": "densenet"}
    networks = {
        stage: Network(architecture=architecture[stage], input_size=SIZES[stage], file=f"{stage}.safetensors", sha256="0" * 64)
        for stage in STAGES
    }
    points = {"pneumonia": pneumonia, "covid": covid}
    facts = {
        "name": "test",
        "networks": networks,
        "operating_points": {stage: OperatingPoint(threshold=value, rule="none", data="none") for stage, value in points.items()},
        "preprocessing": Preprocessing(min_lung_area_fraction=0.0, max_lung_area_fraction=1.0),
    }
    return BundleManifest(**(facts | changed))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more than they gain by a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def networks() -> dict[str, torch.nn.Module]:
    return {"lungs": small_unet(1), "pneumonia": small_densenet(2), "covid": small_densenet(3)}


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Return smooth images that differ from each other."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (IMAGES, 1, 12, 12)) * rng.uniform(0.3, 1, (IMAGES, 1, 1, 1)))
    return torch.nn.functional.interpolate(coarse, size=(512, 512), mode="bicubic").clamp(0, 255).to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def middle(networks, pixels) -> dict[str, float]:
    """Return thresholds that split the images in half, each between the scores of two images."""
    everything = cascade_of(networks, manifest_with(0.0, 0.0))(pixels, guided=False)
    scores = {"pneumonia": everything.pneumonia_score, "covid": everything.covid_score}
    return {stage: float(np.sort(of_stage)[IMAGES // 2 - 1 : IMAGES // 2 + 1].mean()) for stage, of_stage in scores.items()}


def cascade_of(networks, manifest: BundleManifest, dtype: torch.dtype = torch.float32, batch_size: int = 4) -> Cascade:
    return Cascade(Bundle(manifest, networks), CPU, dtype, batch_size)


def assert_same(one: CascadeResult, other: CascadeResult, rows: np.ndarray, exact: bool) -> None:
    """Hold `one` to the given rows of `other`."""
    for name, value in vars(one).items():
        expected = getattr(other, name)
        if name == "guided":
            wanted = {i: expected[row] for i, row in enumerate(rows) if row in expected}
            assert value.keys() == wanted.keys()
            assert all(np.abs(value[i].astype(int) - wanted[i]).max() <= 1 for i in wanted)
        elif exact or value.dtype == bool:
            np.testing.assert_array_equal(value, expected[rows], err_msg=name)
        else:
            np.testing.assert_allclose(value, expected[rows], rtol=1e-4, atol=1e-5, err_msg=name)


def test_it_agrees_with_a_plain_loop(networks, pixels, middle):
    manifest = manifest_with(**middle)
    result = cascade_of(networks, manifest)(pixels)
    assert 0 < result.pneumonia_positive.sum() < IMAGES
    for i in range(IMAGES):
        image = torch.from_numpy(pixels[i : i + 1])
        with torch.no_grad():
            mask = torch.sigmoid(networks["lungs"](network_input(image, manifest.preprocessing, 64)))[:, 0] >= 0.5
            np.testing.assert_array_equal(result.lung_mask[i], mask[0].numpy())
            assert result.lung_area_fraction[i] == pytest.approx(mask.float().mean().item())
            x = network_input(image, manifest.preprocessing, 128, mask)
            logit = networks["pneumonia"](x).item()
            features = networks["pneumonia"].features_of(x)[0]
            evidence = torch.einsum("chw,c->hw", features, networks["pneumonia"].head.weight[0])
            h2 = (evidence - evidence.min()) / (evidence.max() - evidence.min())
            assert result.pneumonia_logit[i] == pytest.approx(logit, abs=1e-4)
            assert result.pneumonia_score[i] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)
            np.testing.assert_allclose(result.pneumonia_heatmap[i], h2.numpy(), atol=1e-3)
            covid = networks["covid"](network_input(image, manifest.preprocessing, 96, mask, h2[None])).item()
        if result.reached_covid[i]:
            assert result.covid_logit[i] == pytest.approx(covid, abs=1e-3)


def test_only_positives_go_on(networks, pixels, middle):
    result = cascade_of(networks, manifest_with(**middle))(pixels)
    np.testing.assert_array_equal(result.pneumonia_positive, result.pneumonia_score >= middle["pneumonia"])
    np.testing.assert_array_equal(result.reached_covid, result.pneumonia_positive)
    np.testing.assert_array_equal(np.isnan(result.covid_logit), ~result.reached_covid)
    np.testing.assert_array_equal(np.isnan(result.covid_heatmap).all(axis=(1, 2)), ~result.reached_covid)
    assert not result.covid_positive[~result.pneumonia_positive].any()
    assert not result.audit_sample.any()
    assert set(result.guided) == set(np.flatnonzero(result.covid_positive))
    assert np.isnan(result.pneumonia_probability).all()
    assert len(result) == IMAGES


def test_an_audited_negative_is_judged_and_stays_negative(networks, pixels, middle):
    cascade = cascade_of(networks, manifest_with(middle["pneumonia"], 0.0))
    plain = cascade(pixels)
    audited = cascade(pixels, audit=np.ones(IMAGES, bool))
    np.testing.assert_array_equal(audited.audit_sample, ~plain.pneumonia_positive)
    assert audited.reached_covid.all()
    assert not np.isnan(audited.covid_logit).any()
    np.testing.assert_array_equal(audited.covid_positive, plain.pneumonia_positive)
    assert audited.guided.keys() == plain.guided.keys()
    np.testing.assert_allclose(audited.covid_logit[plain.reached_covid], plain.covid_logit[plain.reached_covid], rtol=1e-5)


def test_without_plausible_lungs_nothing_follows(networks, pixels):
    area = cascade_of(networks, manifest_with())(pixels, guided=False).lung_area_fraction
    limit = float(np.median(area))
    limits = Preprocessing(min_lung_area_fraction=limit, max_lung_area_fraction=1.0)
    result = cascade_of(networks, manifest_with(0.0, 0.0, preprocessing=limits))(pixels, audit=np.ones(IMAGES, bool))
    np.testing.assert_array_equal(result.lungs_found, area >= limit)
    assert 0 < result.lungs_found.sum() < IMAGES
    for judged in (~np.isnan(result.pneumonia_logit), result.pneumonia_positive, result.reached_covid, result.covid_positive):
        np.testing.assert_array_equal(judged, result.lungs_found)
    too_much = Preprocessing(min_lung_area_fraction=0.0, max_lung_area_fraction=limit)
    np.testing.assert_array_equal(
        cascade_of(networks, manifest_with(preprocessing=too_much))(pixels, guided=False).lungs_found, area <= np.float32(limit)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_company_does_not_matter(networks, pixels, middle, dtype):
    audit = np.arange(IMAGES) % 2 == 0
    cascade = cascade_of(networks, manifest_with(**middle), dtype)
    together = cascade(pixels, audit=audit)
    exact = dtype == torch.bfloat16
    for i in range(IMAGES):
        assert_same(cascade(pixels[i : i + 1], audit=audit[i : i + 1]), together, np.array([i]), exact)
    order = np.random.default_rng(1).permutation(IMAGES)
    assert_same(cascade(pixels[order], audit=audit[order]), together, order, exact)
    assert_same(cascade_of(networks, manifest_with(**middle), dtype, batch_size=3)(pixels, audit=audit), together, np.arange(IMAGES), exact)


def test_the_same_call_twice_is_equal_to_the_bit(networks, pixels, middle):
    cascade = cascade_of(networks, manifest_with(**middle))
    assert_same(cascade(pixels), cascade(pixels), np.arange(IMAGES), exact=True)


def test_calibration_moves_the_decision_to_the_probability(networks, pixels, middle):
    plain = cascade_of(networks, manifest_with(**middle))(pixels, guided=False)
    calibration = {"pneumonia": Calibration(slope=2.0, intercept=-0.5, data="none")}
    result = cascade_of(networks, manifest_with(0.3, 0.5, calibration=calibration))(pixels, guided=False)
    np.testing.assert_array_equal(result.pneumonia_score, plain.pneumonia_score)
    expected = 1 / (1 + np.exp(-(2.0 * plain.pneumonia_logit.astype(float) - 0.5)))
    np.testing.assert_allclose(result.pneumonia_probability, expected, rtol=1e-6)
    np.testing.assert_array_equal(result.pneumonia_positive, expected >= 0.3)
    assert np.isnan(result.covid_probability).all()


def test_a_constant_h2_shows_stage_3_nothing(networks, pixels):
    blind = small_densenet(2)
    blind.head.weight.zero_()
    result = cascade_of(networks | {"pneumonia": blind}, manifest_with(0.0, 0.0))(pixels)
    assert (result.pneumonia_heatmap == 0).all()
    nothing = networks["covid"](torch.zeros(1, 1, 96, 96)).item()
    np.testing.assert_allclose(result.covid_logit, nothing, rtol=1e-3)


def test_the_papers_reshape(networks, pixels):
    with pytest.raises(BundleError, match="1024"):
        cascade_of(networks, manifest_with(heatmap="paper_reshape"))(pixels)
    right = small_densenet(4, growth_rate=64, block_config=(1, 1, 1, 15), num_init_features=64)
    assert right.head.in_features == 1024
    result = cascade_of(networks | {"pneumonia": right}, manifest_with(heatmap="paper_reshape"))(pixels[:2])
    assert result.pneumonia_heatmap.shape == (2, 32, 32)
    assert result.pneumonia_heatmap.min() == 0
    assert result.pneumonia_heatmap.max() == 1


def test_logits_that_are_not_finite_are_never_negatives(networks, pixels):
    broken = small_densenet(2)
    broken.head.bias.fill_(torch.nan)
    with pytest.raises(BundleError, match="not finite"):
        cascade_of(networks | {"pneumonia": broken}, manifest_with())(pixels)


def test_tensors_and_read_only_arrays_do_as_well(networks, pixels, recwarn):
    cascade = cascade_of(networks, manifest_with())
    frozen = pixels.copy()
    frozen.flags.writeable = False
    assert_same(cascade(frozen), cascade(torch.from_numpy(pixels)), np.arange(IMAGES), exact=True)
    assert not recwarn.list


def test_no_images(networks):
    result = cascade_of(networks, manifest_with())(np.zeros((0, 1, 512, 512), np.uint8))
    assert len(result) == 0
    assert result.pneumonia_heatmap.shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("shape", "dtype", "audit"),
    [
        ((2, 512, 512), np.uint8, None),
        ((2, 1, 256, 256), np.uint8, None),
        ((2, 1, 512, 512), np.float32, None),
        ((2, 1, 512, 512), np.uint8, np.ones(3, bool)),
        ((2, 1, 512, 512), np.uint8, np.ones(2)),
    ],
)
def test_wrong_arguments(networks, shape, dtype, audit):
    with pytest.raises(UsageError):
        cascade_of(networks, manifest_with())(np.zeros(shape, dtype), audit=audit)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_agrees(networks, pixels, middle, dtype):
    bundle = Bundle(manifest_with(**middle), networks)
    device = torch.device("cuda")
    audit = np.ones(IMAGES, bool)
    on_gpu = Cascade(bundle, device, dtype, 16)
    result = on_gpu(pixels, audit=audit)
    reference = Cascade(bundle, CPU, torch.float32, 4)(pixels, audit=audit)
    np.testing.assert_allclose(result.pneumonia_logit, reference.pneumonia_logit, atol=0.1 if dtype == torch.bfloat16 else 5e-3)
    for i in range(IMAGES):
        assert_same(on_gpu(pixels[i : i + 1], audit=audit[:1]), result, np.array([i]), exact=True)


def test_pooled_features_are_what_the_head_sees(networks, pixels, middle):
    cascade = cascade_of(networks, manifest_with(**middle))
    images = np.array([4, 0, 1, 5, 2])
    with torch.inference_mode():
        held = cascade.hold(pixels)
        masks, _ = cascade.find_lungs(held)
        pneumonia, h2 = cascade.judge("pneumonia", held, masks, images)
        covid, _ = cascade.judge("covid", held, masks, images, h2)
        for stage, judged, heatmap in (("pneumonia", pneumonia, None), ("covid", covid, h2)):
            features = torch.from_numpy(cascade.pooled_features(stage, held, masks, images, heatmap))
            np.testing.assert_allclose(networks[stage].head(features)[:, 0], judged.logit[images], atol=1e-4)
        assert cascade.pooled_features("covid", held, masks, np.array([], int), h2).shape == (0, networks["covid"].head.in_features)
