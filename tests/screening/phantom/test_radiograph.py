"""The synthetic radiographs show what they say, and give nothing away outside the lungs."""

import numpy as np
import pytest

from screening.errors import UsageError
from screening.phantom.findings import box_blur
from screening.phantom.radiograph import FINDINGS, make_phantom
from screening.phantom.sites import SITES

SIZE = (160, 144)


@pytest.fixture(scope="module")
def films():
    """Thirty chests, each with every finding: the same seed differs in the finding alone."""
    return {finding: [make_phantom(seed, finding, size=SIZE) for seed in range(30)] for finding in FINDINGS}


def test_the_same_arguments_give_the_same_film():
    first, again = make_phantom(3, "covid", size=SIZE), make_phantom(3, "covid", size=SIZE)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.lung_mask, again.lung_mask)
    assert not np.array_equal(first.image, make_phantom(4, "covid", size=SIZE).image)


def test_shapes_and_ranges(films):
    for film in films["pneumonia"]:
        assert (film.image.shape, film.image.dtype, film.lung_mask.shape, film.lung_mask.dtype) == (SIZE, np.float32, SIZE, bool)
        assert film.image.min() >= 0
        assert film.image.max() <= 1
        assert 18 <= film.age_years <= 95
        assert film.sex in "MF"
        assert film.view in ("PA", "AP")
        assert (film.site, film.vendor) in {(site.name, site.vendor) for site in SITES}


def test_lungs_lie_on_both_sides_and_are_dark(films):
    for film in films["normal"]:
        mask, middle = film.lung_mask, SIZE[1] // 2
        assert 0.12 < mask.mean() < 0.5
        assert mask[:, :middle].mean() > 0.08
        assert mask[:, middle:].mean() > 0.08
        outside = film.image[SIZE[0] // 4 : -SIZE[0] // 4, SIZE[1] // 5 : -SIZE[1] // 5][
            ~mask[SIZE[0] // 4 : -SIZE[0] // 4, SIZE[1] // 5 : -SIZE[1] // 5]
        ]
        assert film.image[mask].mean() < outside.mean() - 0.08


def test_findings_change_the_lungs_only(films):
    """Apart from one value of noise, films of one seed are equal outside the lungs."""
    for finding in ("pneumonia", "covid"):
        for sick, healthy in zip(films[finding], films["normal"], strict=True):
            change = np.abs(sick.image - healthy.image)
            near = box_blur(healthy.lung_mask.astype(np.float32), 2, 1) > 0
            assert change[~near].max() < 1e-6
            assert change[healthy.lung_mask].max() > 0.05
            assert (sick.sex, sick.age_years, sick.site, sick.view, sick.burned_in) == (
                healthy.sex, healthy.age_years, healthy.site, healthy.view, healthy.burned_in,
            )  # fmt: skip


def opacities(films, finding):
    """By how much each film's lungs are brighter than the same lungs without the finding: right and left sums, and the peak."""
    for sick, healthy in zip(films[finding], films["normal"], strict=True):
        change = box_blur((sick.image - healthy.image) * healthy.lung_mask, 2, 1)
        middle = SIZE[1] // 2
        yield change[:, :middle].sum(), change[:, middle:].sum(), change.max()


def test_pneumonia_is_one_dense_opacity_and_covid_many_faint_ones(films):
    pneumonia, covid = np.array(list(opacities(films, "pneumonia"))), np.array(list(opacities(films, "covid")))
    one_sided = np.minimum(pneumonia[:, 0], pneumonia[:, 1]) / (pneumonia[:, :2].sum(1) + 1e-9)
    both_sided = np.minimum(covid[:, 0], covid[:, 1]) / (covid[:, :2].sum(1) + 1e-9)
    assert one_sided.max() < 0.05
    assert np.median(both_sided) > 0.25
    assert np.median(pneumonia[:, 2]) > 1.4 * np.median(covid[:, 2])


def test_covid_lies_further_out_than_pneumonia(films):
    def mean_distance(finding):
        distances = []
        for sick, healthy in zip(films[finding], films["normal"], strict=True):
            change = np.clip((sick.image - healthy.image) * healthy.lung_mask, 0, None)
            distances.append((change * np.abs(np.arange(SIZE[1]) - SIZE[1] / 2)).sum() / (change.sum() * SIZE[1]))
        return np.mean(distances)

    assert mean_distance("covid") > mean_distance("pneumonia") + 0.02


def test_severity_makes_it_denser():
    films = [make_phantom(5, "pneumonia", size=SIZE, severity=severity) for severity in (0.0, 1.0)]
    lungs = films[0].lung_mask
    assert films[1].image[lungs].mean() > films[0].image[lungs].mean() + 0.01
    assert make_phantom(5, "normal", size=SIZE).severity == 0


def test_one_person_keeps_the_chest():
    first, second = (make_phantom(seed, "normal", size=SIZE, patient_seed=9, view="PA", site=SITES[3].name) for seed in (1, 2))
    other = make_phantom(2, "normal", size=SIZE, patient_seed=10, view="PA", site=SITES[3].name)
    assert (first.sex, first.age_years) == (second.sex, second.age_years)
    assert not np.array_equal(first.image, second.image)
    assert abs(first.lung_mask.mean() - second.lung_mask.mean()) < 0.1
    assert not np.array_equal(second.lung_mask, other.lung_mask)


def test_letters_follow_the_class_only_when_asked():
    corner = (slice(0, 32), slice(96, 144))

    def bright_share(finding, confounding):
        return np.mean([(make_phantom(seed, finding, size=SIZE, confounding=confounding).image[corner] == 1).any() for seed in range(24)])

    assert bright_share("covid", 0.0) == bright_share("normal", 0.0)
    assert bright_share("covid", 1.0) == 1
    assert bright_share("normal", 1.0) < 0.4


def test_larger_films_show_the_same_chest():
    small, large = make_phantom(2, "covid", size=(400, 360)), make_phantom(2, "covid", size=(800, 720))
    agreement = large.lung_mask[::2, ::2] == small.lung_mask
    assert agreement.mean() > 0.98


@pytest.mark.parametrize(
    "arguments", [{"finding": "tb"}, {"finding": "normal", "size": (32, 200)}, {"finding": "normal", "site": "Nowhere"}]
)
def test_wrong_arguments(arguments):
    with pytest.raises(UsageError):
        make_phantom(0, **arguments)
